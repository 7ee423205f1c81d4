"""Turns, samples and ratios, with a clock that the tests wind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest

from benchmarks import measuring
from benchmarks.measuring import Call, Pace, calls_for, figure, in_turns, pace, ratios, sampler
from tests.benchmarks.made import Steps, a_figure, a_run


class Clock:
    """Time that passes when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def working(clock: Clock, seconds: float, **more: object) -> Call:
    return Call(f"work({seconds!r})", {"work": clock.work}, **more)  # type: ignore[arg-type]


def test_each_round_begins_with_another_rival():
    assert list(measuring.rotated("abc", 4)) == [
        ("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "b", "c"),
    ]  # fmt: skip


def test_rivals_take_turns_within_a_round():
    order: list[str] = []
    samples = {name: lambda name=name: float(order.append(name) or 1) for name in "ab"}
    progress = Steps()
    taken = in_turns(samples, 3, progress)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3}
    assert progress.steps == 3


def test_garbage_is_collected_before_each_sample_and_not_within():
    phases: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        phases.append(f"{phase} {info['generation']}")

    gc.callbacks.append(note)
    try:
        in_turns({"a": lambda: float(len(phases))}, 1, Steps())
    finally:
        gc.callbacks.remove(note)
    assert "stop 2" in phases
    assert gc.isenabled()


def test_a_sample_lasts_as_long_as_its_calls(clock: Clock):
    assert sampler(working(clock, 0.25), clock)(8) == 2.0


def test_each_item_is_used_once(clock: Clock):
    used: Counter[str] = Counter()
    call = Call("used.update(item)", {"used": used}, items="abcdef")
    sampler(call, clock)(4)
    assert used == Counter("abcd")


def test_what_is_done_before_a_sample_is_not_timed(clock: Clock):
    seen: list[object] = []

    def before(items: object) -> None:
        seen.append(items)
        clock.work(100.0)

    sample = sampler(working(clock, 1.0, items="abcdef", before=before), clock)
    assert sample(2) == 2.0
    assert seen == ["ab"]


def test_a_statement_may_await(clock: Clock):
    async def work() -> None:
        await asyncio.sleep(0)
        clock.work(0.5)

    with asyncio.Runner() as runner:
        sample = sampler(Call("await work()", {"work": work}, runs=runner.run), clock)
        assert sample(3) == 1.5


def test_samples_of_a_slow_and_a_fast_rival_last_about_the_same(clock: Clock):
    slow, fast = sampler(working(clock, 0.01), clock), sampler(working(clock, 0.0001), clock)
    assert calls_for(slow, 0.5, 2**40) == pytest.approx(50, rel=0.05)
    assert calls_for(fast, 0.5, 2**40) == pytest.approx(5000, rel=0.05)


def test_there_are_never_more_calls_than_items(clock: Clock):
    sample = sampler(working(clock, 0.0001, items="abc"), clock)
    assert calls_for(sample, 0.5, 3) == 3


def test_the_time_of_the_loop_is_subtracted(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    # The loop takes 2 µs for each call, and so does a statement that does nothing.
    monkeypatch.setattr(measuring, "_LOOP", measuring._LOOP.replace(
        "        {statement}", "        spend(2e-6)\n        {statement}"))  # fmt: skip
    spent = {"spend": clock.work}
    monkeypatch.setattr(measuring, "EMPTY", Call("pass", spent))
    call = Call("work(7e-6)", {"work": clock.work, **spent})
    figures = measuring.microseconds({"a": call}, Pace(3, 0.01), Steps(), clock)
    assert figures["a"].median == pytest.approx(7.0)
    assert figures["a"].samples == 3


def test_a_figure_is_the_median_and_the_spread():
    assert figure([3.0, 1.0, 2.0]) == a_figure(2.0, 1.0, 3.0)


def test_there_is_no_figure_of_nothing():
    with pytest.raises(ValueError, match="one value or more"):
        figure([])


def test_ratios_are_of_the_first_rival_to_those_that_are_there():
    figures = {"a": a_figure(1.0), "b": a_figure(4.0), "c": None, "d": a_figure(0.0)}
    assert ratios(figures) == {"b": 0.25}
    assert ratios(figures, only=["c"]) == {}


def test_a_quick_run_measures_less():
    quick, whole = pace(a_run(quick=True)), pace(a_run(quick=False))
    assert quick.rounds * quick.seconds < whole.rounds * whole.seconds / 4


def test_the_environment_may_shorten_samples(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(measuring.VARIABLE, "0.001")
    assert pace(a_run()).seconds == 0.001


@pytest.mark.parametrize("text", ["", "much", "0", "-1"])
def test_an_environment_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv(measuring.VARIABLE, text)
    with pytest.raises(ValueError, match=measuring.VARIABLE):
        pace(a_run())
