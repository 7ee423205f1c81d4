"""Where a `get` that Redis answers and a `set` go: from a bare socket to the whole call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks import cores, rivals
from benchmarks.measuring import Call
from benchmarks.part import Run, Table

from .calls import ITEMS, TEXT, keys, store_all
from .rungs import Rung, ladder

LIFE = 300_000
"""Milliseconds: Django's default timeout, as it goes to Redis."""

FOR_EVER = float("inf")


def tables(run: Run) -> list[Table]:
    """Measure both, the server on the core of this process where that can be chosen."""
    names = (rivals.OURS, rivals.DJANGO_REDIS)
    places = {os.getpid(): 0, cores.id_of(run.url): 0}
    with rivals.opened(run.url, *names) as caches, cores.chosen(places):
        ours, other = (caches[name] for name in names)
        ours.set("key", TEXT)
        other.set("key", TEXT)
        return [
            ladder("A `get` that fills memory", _of_get(ours, other), run),
            ladder("A `set` with its message", _of_set(ours, other), run),
        ]


def _of_get(cache: Any, other: Any) -> list[Rung]:
    from tiercache.steps import Read

    full = cache.make_key("key")
    step = Read((full,))
    items = keys("cold", ITEMS)
    store_all(cache, items)
    forget = rivals.RIVALS[rivals.OURS].forget
    before = None if forget is None else lambda _: forget(cache)
    whole = Call("cache.get(item)", {"cache": cache}, items=items, before=before)
    return [
        *_ladder(cache, step, ("GET", full), "GET", "MGET and PTTL"),
        Rung("… and the face, the flow, the value, its copy in memory: `get`", whole, ADMITTED),
        Rung("django-redis's `get`", Call("cache.get('key')", {"cache": other})),
    ]


def _of_set(cache: Any, other: Any) -> list[Rung]:
    from tiercache.steps import Store

    full = cache.make_key("key")
    raw = cache._node.codec.pack(TEXT).raw
    step = Store(((full, raw),), LIFE)
    bare = ("SET", full, raw, "PX", LIFE)
    whole, others = (
        Call("cache.set('key', text)", {"cache": each, "text": TEXT}) for each in (cache, other)
    )
    return [
        *_ladder(cache, step, bare, "SET", "the script, its message, and hearing it"),
        Rung("… and the face, the flow, the value, its copy in memory: `set`", whole, ADMITTED),
        Rung("django-redis's `set`", others),
    ]


SENT = "… packed, sent and parsed anew each time, within a time budget"
BORROWED = "… on a connection that is borrowed, and looked at whether it is still good"
ADMITTED = "… past the breakers, and measured"


def _ladder(cache: Any, step: Any, bare: tuple[Any, ...], one: str, all_of_it: str) -> list[Rung]:
    """Return the lines from a command on a bare socket up to the way to Redis."""
    passage = cache._node.passage
    remote = passage._remote
    line = remote._borrow(FOR_EVER).line
    commands = remote._wire.commands(step)
    first, second = f"{one} on a bare socket", f"… {all_of_it} instead"
    sent = Call("exchange(commands)", {"exchange": line.exchange, "commands": commands})
    return [
        Rung(first, Call("exchange()", {"exchange": _bare(line, [bare])})),
        Rung(second, Call("exchange()", {"exchange": _bare(line, commands)}), first),
        Rung(SENT, sent, second),
        Rung(BORROWED, _performed(remote, step), SENT),
        Rung(ADMITTED, _performed(passage, step), BORROWED),
    ]


def _performed(way: Any, step: Any) -> Call:
    names = {"perform": way.perform, "step": step, "clock": time.monotonic}
    return Call("perform(step, clock() + 1)", names)


def _bare(line: Any, commands: list[tuple[Any, ...]]) -> Callable[[], None]:
    """Return what sends bytes that are ready over the line's socket, and parses the replies."""
    import hiredis

    from tiercache.line import packed

    data, reader, buffer = packed(commands), hiredis.Reader(), bytearray(65_536)
    # Past what bounds its waits; its owner lends it to nobody else.
    sock = line._sock._sock
    feed: Any = reader.feed

    def exchange() -> None:
        sock.sendall(data)
        for _ in commands:
            while reader.gets() is False:
                feed(buffer, 0, sock.recv_into(buffer))

    return exchange
