"""The part "hit ratio": who plays the traces, what they are, and what is made of the hits."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.part import Run
from benchmarks.parts import hit_ratio, hit_ratio_policies, hit_ratio_traces
from benchmarks.parts.hit_ratio import Job
from benchmarks.parts.hit_ratio_policies import LRU, OPTIMUM, OURS, PLAYERS
from tests.benchmarks.doubles import Silence

ORDER = ("orm-busy", "web07", "web12")


def short_traces() -> list[list[int]]:
    chance = random.Random(5)
    return [[chance.randrange(6) for _ in range(12)] for _ in range(40)]


def most_hits(keys: Sequence[int], room: int, held: frozenset[int] = frozenset()) -> int:
    """Try every choice of who leaves."""
    if not keys:
        return 0
    key, rest = keys[0], keys[1:]
    if key in held:
        return 1 + most_hits(rest, room, held)
    if len(held) < room:
        return most_hits(rest, room, held | {key})
    return max(most_hits(rest, room, held - {victim} | {key}) for victim in held)


def lru_hits(keys: Sequence[int], room: int) -> int:
    """A key is held if fewer than `room` others were asked for since it was."""
    hits = 0
    for at, key in enumerate(keys):
        before = [earlier for earlier in range(at) if keys[earlier] == key]
        hits += bool(before) and len(set(keys[before[-1] + 1 : at])) < room
    return hits


@pytest.fixture
def no_traces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(hit_ratio_traces.VARIABLE, raising=False)


@pytest.fixture
def small_traces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A folder with the shared traces' names, and short ones for those that are made."""
    chance = random.Random(6)
    for name in hit_ratio_traces.SHARED:
        keys = "".join(f"{int(chance.paretovariate(0.8))}\n" for _ in range(2000))
        (tmp_path / f"{name}{hit_ratio_traces.SUFFIX}").write_bytes(gzip.compress(keys.encode()))
    monkeypatch.setenv(hit_ratio_traces.VARIABLE, str(tmp_path))
    monkeypatch.setattr(hit_ratio_traces, "MADE", {})
    hit_ratio_traces.trace.cache_clear()
    yield
    hit_ratio_traces.trace.cache_clear()


@pytest.mark.parametrize("room", [1, 2, 4])
def test_nobody_beats_the_optimum_and_it_is_reached(room: int):
    for keys in short_traces():
        assert hit_ratio_policies.optimum(keys, room) == most_hits(keys, room), keys


@pytest.mark.parametrize("room", [1, 3, 6])
def test_lru_holds_what_was_asked_for_last(room: int):
    for keys in short_traces():
        assert hit_ratio_policies.lru(keys, room) == lru_hits(keys, room), keys


@pytest.mark.parametrize("room", [1, 5, 50])
def test_the_tier_under_lru_is_exactly_lru(room: int):
    chance = random.Random(9)
    keys = [int(chance.expovariate(0.05)) for _ in range(3000)]
    own = PLAYERS["tiercache, lru"](keys, room)
    assert own == hit_ratio_policies.lru(keys, room) > 0


@pytest.mark.parametrize("player", sorted(set(PLAYERS) - {hit_ratio_policies.THEINE}))
def test_with_room_for_all_only_the_first_get_of_each_key_is_a_miss(player: str):
    keys = [number % 30 for number in range(100)]
    assert PLAYERS[player](keys, 31) == 70


@pytest.mark.parametrize("player", sorted(set(PLAYERS) - {hit_ratio_policies.THEINE}))
def test_nobody_begins_with_what_the_last_trace_has_left(player: str):
    assert [PLAYERS[player](list(range(10)), 20) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("name", sorted(hit_ratio_traces.MADE))
def test_a_trace_that_is_made_is_the_same_each_time(name: str):
    make = hit_ratio_traces.MADE[name]
    made = make(2000)
    assert made == make(2000)
    assert len(set(made)) == pytest.approx(2000, rel=0.01)
    assert len(made) == pytest.approx(2000 * hit_ratio_traces.PER_KEY, rel=0.1)


@pytest.mark.parametrize("share", hit_ratio.SHARES)
def test_the_loops_are_a_little_larger_than_memory(share: float):
    keys = hit_ratio_traces.loops(5000)
    room = int(len(set(keys)) * share)
    sizes = {first + 1 for first, then in pairwise(keys) if then == 0}
    assert any(room < size < room * 1.2 for size in sizes)


@pytest.mark.usefixtures("small_traces")
def test_a_trace_is_read_as_it_is(tmp_path: Path):
    lines = gzip.decompress((tmp_path / "web07.txt.gz").read_bytes()).split()
    assert list(hit_ratio_traces.trace("web07")) == [int(line) for line in lines]


@pytest.mark.usefixtures("no_traces")
def test_without_a_folder_the_recorded_traces_are_missing():
    assert hit_ratio_traces.recorded() == []
    assert "TIERCACHE_TRACES" in hit_ratio.missing()["traces orm-busy, web07, web12"]
    assert {job.trace for job in hit_ratio.jobs(quick=True)} == set(hit_ratio_traces.MADE)


def test_a_folder_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(hit_ratio_traces.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(NotADirectoryError, match=r"nowhere.*allowed: a folder of \*\.txt\.gz"):
        hit_ratio_traces.recorded()


@pytest.mark.usefixtures("small_traces")
def test_another_trace_in_the_folder_is_played_too(tmp_path: Path):
    (tmp_path / "other.txt.gz").write_bytes(gzip.compress(b"1\n2\n1\n"))
    assert hit_ratio_traces.recorded()[-1] == "other"
    assert hit_ratio.play(Job("other", 1.0, LRU)) == pytest.approx(100 / 3)


def test_a_row_compares_with_lru_and_the_optimum():
    by = {OURS: 44.0, LRU: 40.0, OPTIMUM: 80.0}
    [row] = hit_ratio.rows({Job("web07", 0.01, name): hits for name, hits in by.items()}, ["web07"])
    assert row.what == "web07, 1%"
    assert row.ratios == {LRU: pytest.approx(1.1), OPTIMUM: pytest.approx(0.55)}
    assert [(goal.of, goal.least) for goal in row.goals] == [(LRU, 1.0)]


def test_where_lru_has_no_hits_nothing_is_worse():
    hits = {Job("web07", 0.1, name): value for name, value in {OURS: 3.0, LRU: 0.0}.items()}
    [row] = hit_ratio.rows({**hits, Job("web07", 0.1, OPTIMUM): 9.0}, ["web07"])
    assert row.goals == ()


@pytest.mark.usefixtures("small_traces")
def test_the_average_is_that_of_each_traces_share_of_the_optimum():
    hits = {
        Job(trace, share, player): value
        for trace, values in zip(
            hit_ratio_traces.SHARED, [(10, 5, 20), (30, 30, 40), (45, 20, 50)], strict=True
        )
        for share in hit_ratio.SHARES
        for player, value in zip((OURS, LRU, OPTIMUM), values, strict=True)
    }
    row = hit_ratio.of_optimum(hits).rows[0]
    figure = row.figures[OURS]
    assert figure is not None
    assert figure.median == pytest.approx((50 + 75 + 90) / 3)
    assert (figure.low, figure.high) == (50, 90)
    assert row.ratios[OPTIMUM] == pytest.approx(figure.median / 100)


@pytest.mark.usefixtures("small_traces")
def test_the_part_plays_what_is_there():
    progress = Silence()
    run = Run("redis://unused", True, progress)
    result = hit_ratio.PART.measure(run)
    assert progress.steps == hit_ratio.PART.steps(run) == 3 * 2 * 3
    recorded, of_optimum, _ = result.tables
    assert [row.what for row in recorded.rows][::2] == [f"{name}, 1%" for name in ORDER]
    assert all(0 < row.ratios[OPTIMUM] <= 1 for row in [*recorded.rows, *of_optimum.rows])
