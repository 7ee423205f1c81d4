"""Which cores this process and the server run on: where the system puts them decides a round trip.

On one core, a round trip is the work of both; on two, an idle core has to be woken twice for each,
which on a virtual machine takes longer than the work. A system that changes its mind in the middle
of a run gives figures of two kinds, so it is told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

NEEDED = 2


def can_be_chosen() -> bool:
    """Tell whether there are two cores to choose from, and a way to choose."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) >= NEEDED


@contextmanager
def chosen(url: str, *, apart: bool) -> Iterator[None]:
    """Keep this process on one core, and the server at a URL on the same, or on another.

    Threads and processes that are started meanwhile inherit it. Where it cannot be chosen, nothing
    happens.
    """
    if not can_be_chosen():
        yield
        return
    before = os.sched_getaffinity(0)
    first, second, *_ = sorted(before)
    with redis.Redis.from_url(url) as client:
        server = int(client.info("server")["process_id"])
    _put(os.getpid(), {first})
    _put(server, {second if apart else first})
    try:
        yield
    finally:
        _put(os.getpid(), before)
        _put(server, before)


def _put(process: int, cores: set[int]) -> None:
    for task in Path(f"/proc/{process}/task").iterdir():
        # A thread may end in between.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)
