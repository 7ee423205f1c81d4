"""Which cores processes run on: where the system puts them decides what a round trip takes.

On one core, a round trip is the work of both; on two, an idle core has to be woken twice for each,
which on a virtual machine takes longer than the work. A system that changes its mind in the middle
of a run gives figures of two kinds, so it is told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

NEEDED = 2


def can_be_chosen() -> bool:
    """Tell whether there are two cores to choose from, and a way to choose."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) >= NEEDED


def id_of(url: str) -> int:
    """Return the process id of the server at a URL, which is on this machine."""
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


@contextmanager
def chosen(places: Mapping[int, int]) -> Iterator[None]:
    """Keep processes, by their ids, each on the core that has this number.

    Threads and processes that they start meanwhile inherit it. Where it cannot be chosen, nothing
    happens.
    """
    if not can_be_chosen():
        yield
        return
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    for process, number in places.items():
        _put(process, {cores[number]})
    try:
        yield
    finally:
        for process in places:
            _put(process, before)


def _put(process: int, cores: set[int]) -> None:
    for task in Path(f"/proc/{process}/task").iterdir():
        # A thread may end in between.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)
