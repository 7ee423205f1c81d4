"""Redis is back: make good what was changed meanwhile, and only then trust it again."""

from __future__ import annotations

from collections.abc import Callable

from .exceptions import RedisAway
from .health import Health
from .keys import matcher
from .memory import MemoryTier
from .steps import Flow, Probe, Remove, Scan

AT_ONCE = 500
"""Journaled keys that are removed in one step."""

PROBES = 2
"""What the server had not read when it fell silent, it reads between one probe and the next."""


def heal(
    health: Health, memory: MemoryTier, probe_key: str, subscribe: Callable[[], None]
) -> Flow[None]:
    """See whether Redis is back; if so, remove what is journaled, drop all copies, close.

    Before that, subscribe anew if Redis had fallen silent: a firewall that forgot one connection
    has forgotten the subscription's as well, and the heartbeat may not have found out yet.

    In this order, so nobody reads from Redis what an outage has made untrue. Where it is not
    back, or goes away again, the next probe is put off and the journal keeps what is left.

    A flow, whose steps are to be carried out whatever the breakers say.

    Args:
        health: whether Redis is asked; its breakers are closed at the end.
        memory: all of it is dropped in the step that closes them.
        probe_key: a key that nobody else uses.
        subscribe: ends the subscription there is, so that memory is not trusted until the next.
    """
    healed = False
    try:
        for _ in range(PROBES):
            yield Probe(probe_key)
        if health.reads.open and health.reads.reason == "timeout":
            subscribe()
        while not health.recovered(memory.invalidate_all):
            yield from _make_good(health)
        healed = True
    except RedisAway:
        pass  # as before
    finally:
        if not healed:
            health.probe_failed()


def _make_good(health: Health) -> Flow[None]:
    """Remove some of what is journaled: keys first, then all under one pattern."""
    keys, pattern = health.to_make_good(AT_ONCE)
    if keys:
        yield Remove(keys, evicts=True)
        health.made_good(keys)
    elif pattern is not None:
        yield from _remove_all(pattern)
        health.made_good(pattern=pattern)


def _remove_all(pattern: str) -> Flow[None]:
    match, cursor = matcher(pattern), 0
    while True:
        cursor, found = yield Scan(cursor, pattern, AT_ONCE)
        if keys := tuple(filter(match, found)):
            yield Remove(keys, evicts=True)
        if not cursor:
            return
