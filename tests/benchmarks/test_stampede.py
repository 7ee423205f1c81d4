"""The part "stampede": every caller is answered, and each load is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import loading_rivals
from benchmarks.loading_rivals import CASHEWS, TIERCACHE, ByHand
from benchmarks.parts import stampede
from benchmarks.parts.stampede import CALLERS, Case
from tests.support.servers import Valkey


def case(*, processes: int, tasks: bool) -> Case:
    return Case("some callers", processes, tasks=tasks, rivals=(TIERCACHE,))


@pytest.mark.parametrize("tasks", [False, True])
def test_without_protection_every_caller_loads(own_valkey: Callable[..., Valkey], tasks: bool):
    found = stampede.stampede(own_valkey().url, case(processes=1, tasks=tasks), "LocMemCache")
    assert found.loads > CALLERS / 2


def test_processes_together_load_once(own_valkey: Callable[..., Valkey]):
    found = stampede.stampede(own_valkey().url, case(processes=2, tasks=True), TIERCACHE)
    assert found.loads == 1
    assert found.seconds >= stampede.LOAD


async def test_a_cache_that_cannot_await_a_load_gets_it_by_hand(make_cache):
    cache = ByHand(make_cache("memory"))
    loads = 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        return "value"

    assert [await cache.aget_or_set("key", load, 60) for _ in range(2)] == ["value"] * 2
    assert loads == 1


def test_who_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading_rivals.importlib.util, "find_spec", lambda _: None)
    assert stampede.missing() == {
        "django-redis": "django-redis is not installed",
        CASHEWS: "cashews is not installed",
    }
