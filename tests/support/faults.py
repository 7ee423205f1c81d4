"""What can go wrong with Redis, each to be brought about and lifted again at once."""

from __future__ import annotations

import os
import socket
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.support.proxy import Proxy
from tests.support.servers import HOST, Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

BALLAST = 400
LOAD_DELAY = 5_000
"""Microseconds that a loading server takes for each key, so that it goes on for some seconds."""


class Site:
    """A server with a proxy before it; the cache under test knows the proxy's address alone."""

    def __init__(self) -> None:
        self.server = Valkey()
        self.proxy = Proxy(self.server.port)

    @property
    def url(self) -> str:
        return self.proxy.url

    def begin(self) -> None:
        """Be healthy and empty."""
        self.proxy.cut()
        self.proxy.heal()
        self.server.client.flushall()

    def close(self) -> None:
        self.proxy.close()
        self.server.close()


@contextmanager
def refused(site: Site) -> Iterator[None]:
    """Nobody listens any more."""
    site.proxy.refuse()
    try:
        yield
    finally:
        site.proxy.heal()


@contextmanager
def frozen(site: Site) -> Iterator[None]:
    """The server is stopped with SIGSTOP: it accepts, and answers nothing."""
    site.server.freeze()
    try:
        yield
    finally:
        site.server.thaw()


@contextmanager
def half_open(site: Site) -> Iterator[None]:
    """Packets vanish in both directions, and nobody says so."""
    site.proxy.blackhole()
    try:
        yield
    finally:
        site.begin()


@contextmanager
def deaf(site: Site) -> Iterator[None]:
    """Requests arrive and are carried out, but no answer comes back."""
    site.proxy.blackhole("replies")
    try:
        yield
    finally:
        site.begin()


@contextmanager
def trickling(site: Site) -> Iterator[None]:
    """Answers come one byte at a time, each within any time-out of its own."""
    site.proxy.trickle(0.1)
    try:
        yield
    finally:
        site.begin()


@contextmanager
def dropping(site: Site) -> Iterator[None]:
    """Connections are made, and broken at the first word."""
    site.server.configure(maxclients=1)
    site.proxy.cut()
    try:
        yield
    finally:
        site.server.configure(maxclients=10_000)


@contextmanager
def locked_out(site: Site) -> Iterator[None]:
    """The password was changed and everybody was thrown out."""
    site.server.configure(requirepass="new")
    site.proxy.cut()
    try:
        yield
    finally:
        site.server.configure(requirepass="")


@contextmanager
def without(site: Site, *commands: str) -> Iterator[None]:
    """The user may not use these commands, or categories ("@write")."""
    rights = site.server.client.acl_setuser
    rights("default", enabled=True, commands=[f"-{one}" for one in commands])
    try:
        yield
    finally:
        rights("default", enabled=True, commands=["+@all"])


def disenfranchised(site: Site) -> AbstractContextManager[None]:
    """The user may read, and run scripts, but none of the commands in them that write."""
    return without(site, "@write")


@contextmanager
def read_only(site: Site) -> Iterator[None]:
    """The server has become a replica."""
    site.server.refuse_writes()
    try:
        yield
    finally:
        site.server.accept_writes()


@contextmanager
def full(site: Site) -> Iterator[None]:
    """The server is out of memory and may not evict."""
    site.server.configure(maxmemory_policy="noeviction", maxmemory=1)
    try:
        yield
    finally:
        site.server.configure(maxmemory=0)


@contextmanager
def unsafe_to_write(site: Site) -> Iterator[None]:
    """The server wants a replica before it takes writes (NOREPLICAS)."""
    site.server.configure(min_replicas_to_write=1)
    try:
        yield
    finally:
        site.server.configure(min_replicas_to_write=0)


@contextmanager
def loading(site: Site) -> Iterator[None]:
    """The server reads its data set from disk and answers -LOADING."""
    client = site.server.client
    ballast = {f"ballast{number}": os.urandom(1000) for number in range(BALLAST)}
    client.mset(ballast)
    site.server.configure(key_load_delay=LOAD_DELAY, loading_process_events_interval_bytes=1024)
    with socket.create_connection((HOST, site.server.port), timeout=10) as operator:
        operator.sendall(b"DEBUG RELOAD\r\n")
        while not client.info("persistence")["loading"]:
            pass
        try:
            yield
        finally:
            site.server.configure(key_load_delay=0)
            assert operator.recv(100) == b"+OK\r\n"
    client.delete(*ballast)


UNANSWERED = (refused, frozen, half_open, deaf, trickling, dropping, locked_out, loading)
"""Neither reads nor writes are served in time."""

UNWRITABLE = (read_only, full, unsafe_to_write)
"""Reads are served, writes are refused."""

ALL = (*UNANSWERED, *UNWRITABLE, disenfranchised)
