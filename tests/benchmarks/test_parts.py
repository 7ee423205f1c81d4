"""What the parts work out from what they have measured."""

from __future__ import annotations

import gc
import itertools
import os
from array import array
from typing import TYPE_CHECKING

import pytest

from benchmarks import cores, parts
from benchmarks.parts import growth, insertions, memory, memory_filled, operations, threads
from benchmarks.parts.insertions import MEAN, NEARLY_ALL, WORST, Times
from benchmarks.parts.memory import Grown
from tests.benchmarks.made import a_figure, a_run

if TYPE_CHECKING:
    from tests.support.servers import Valkey

OURS = "tiercache"


@pytest.mark.parametrize("name", parts.MODULES)
def test_a_part_is_found_by_the_name_that_it_has(name: str):
    part = parts.find(name)
    assert part.name == name
    assert part.steps(a_run()) > 0


def test_threads_are_counted_all_together():
    count = itertools.count()

    def turn() -> int:
        next(count)
        return 1

    rate = threads.together(3, 0.05, turn)
    # Each of the threads has one turn that is not counted.
    assert 0 < rate <= (next(count) - 3) / 0.05


@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_thread_that_fails_is_no_figure(before: int, monkeypatch: pytest.MonkeyPatch):
    turns = itertools.count()

    def turn() -> int:
        if next(turns) >= before:
            raise OSError("the server is gone")
        return 1

    monkeypatch.setattr("threading.excepthook", lambda arguments: None)
    with pytest.raises(RuntimeError, match="2 of 2 threads failed"):
        threads.together(2, 0.5, turn)


def test_a_quantile_is_what_so_many_are_at_most():
    values = list(range(1, 1001))
    assert insertions.quantile(values, 0.999) == 999
    assert insertions.quantile([5], 0.999) == 5


def test_the_worst_insertion_has_in_it_whatever_happened():
    times = Times(
        array("d", [2e-6, 3e-6]), array("d", [1e-6, 5e-3, 3e-6]), array("d", [1e-6, 4e-3, 2e-6])
    )
    assert times.figures() == pytest.approx({MEAN: 2.5, NEARLY_ALL: 5000, WORST: 5000})


def test_its_own_worst_is_what_happens_each_time_and_is_not_the_collectors():
    first = Times(processors=array("d", [1e-6, 4e-3, 2e-6, 9e-3, 8e-3]), collected={3, 4})
    second = Times(processors=array("d", [5e-3, 2e-6, 7e-6, 3e-6, 8e-3]), collected={4})
    assert insertions.own_worst([first, second]) == pytest.approx(3)
    assert insertions.own_worst([first]) == pytest.approx(4000)


def test_the_insertions_in_which_the_collector_ran_are_noted():
    insert = insertions.Insert("collect() if item.endswith('7') else None", {"collect": gc.collect})
    times = insertions._timed(insert, [range(1, 9)])
    assert len(times.walls) == len(times.processors) == 4
    assert 2 in times.collected


def test_half_of_the_insertions_are_timed_together_and_each_key_is_inserted_once():
    held: list[str] = []
    times = insertions._timed(insertions.Insert("put(item)", {"put": held.append}), [range(8)])
    assert len(times.together) == 1
    assert held == [f"new:{number:09d}" for number in range(8)]


def test_each_round_inserts_keys_of_its_own():
    first, second = (insertions._new_keys(number, 120_000) for number in (0, 1))
    assert sum(map(len, first)) == 60_000
    assert not {*itertools.chain(*first)} & {*itertools.chain(*second)}


@pytest.mark.parametrize("size", growth.SIZES)
def test_the_same_number_of_keys_is_asked_for_at_each_size_from_all_over(size: int):
    asked = growth._spread(size)
    assert len(set(asked)) == growth.ASKED
    assert max(asked) >= f"entry:{size * 99 // 100:07d}"
    assert asked != sorted(asked)


def test_growth_is_told_next_to_the_smallest_size():
    costs_of = {OURS: (0.2, 0.23, 0.3), "LocMemCache": (2, 2, 3), "dict": (1, 1, 2)}
    figures = {
        (name, size): a_figure(cost)
        for name, costs in costs_of.items()
        for size, cost in zip(growth.QUICK_SIZES, costs, strict=True)
    }  # fmt: skip
    rows = growth._hits(figures, a_run(quick=True)).rows
    assert [row.plain["x"] for row in rows] == list(growth.QUICK_SIZES)
    assert rows[0].ratios == {}
    assert rows[2].ratios == {"at 1,000": pytest.approx(1.5)}
    assert rows[2].plain["dict, ratio to at 1,000"] == 2


def test_memory_is_what_entries_take_beyond_keys_and_values():
    grown = {(OURS, 1000): [Grown(filled=400, churned=480, asked=640, own=240, accounted=480)]}
    rows = memory._beyond(grown).rows
    assert [row.figures[OURS] for row in rows] == [a_figure(160), a_figure(240), a_figure(400)]
    ratios = {"just filled": 1.2, "after churn": 1.0, "asked for": 0.75}
    assert memory._accounted(grown).rows[0].ratios == ratios


def test_keys_and_values_take_the_room_that_the_allocator_gives_them():
    assert memory_filled._rounded(149) == 160
    assert len(memory_filled.value(7)) == 100
    assert len(memory_filled.key(7)) == len(memory_filled.key(999_999))


def test_filling_a_process_tells_what_it_has_grown_by():
    (told,) = memory.lines("benchmarks.parts.memory_filled", OURS, "20000")
    grown = Grown(**told)
    assert grown.own < grown.filled < grown.churned < grown.asked
    assert grown.accounted is not None


def test_tables_are_measured_with_the_server_on_either_core_where_that_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(cores, "can_be_chosen", lambda: True)
    titles = [group.full_title for group in operations.groups()]
    assert titles == [
        "Hits in memory",
        "Redis is asked, the server on the same core", "Writes, the server on the same core",
        "Redis is asked, the server on another core", "Writes, the server on another core",
    ]  # fmt: skip
    monkeypatch.setattr(cores, "can_be_chosen", lambda: False)
    titles = [group.full_title for group in operations.groups()]
    assert titles == ["Hits in memory", "Redis is asked", "Writes"]


def test_cores_are_as_they_were_afterwards(own_valkey):
    server: Valkey = own_valkey()
    before = os.sched_getaffinity(0)
    with cores.chosen({os.getpid(): 0, cores.id_of(server.url): 0}):
        here, there = os.sched_getaffinity(0), os.sched_getaffinity(server._pid)
    assert here == there or len(before) < cores.NEEDED
    assert os.sched_getaffinity(0) == os.sched_getaffinity(server._pid) == before
