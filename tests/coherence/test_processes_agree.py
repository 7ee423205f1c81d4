"""Real processes on a real server: what each read is held against what all had written.

The long form, with figures, is `python -m benchmarks.coherence`; its judge is tested in
`test_judge.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.coherence_faults import (
    Act,
    Scene,
    cut,
    freeze,
    full,
    half_open,
    in_turn,
    kill_subscribers,
    none,
    password,
    pause,
    strand,
)
from benchmarks.coherence_history import BACK, LOST, event_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROCESSES = 4
SEED = 3
BOUND_MS = 100.0
"""As in `benchmarks.coherence`, which says why; what the machine takes is measured beside it."""

PATIENT = 5.0
"""TIME_BUDGET where the server is well: a pause of the machine must not look like an outage."""

HASTY = 0.3
"""TIME_BUDGET where it is not."""

CALM = 0.4
"""Seconds before, between and after outages; most of the healing falls into them."""


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A server, a proxy before it, and nobody on it yet."""
    scene = Scene("test")
    yield scene
    scene.close()


def hold(scene: Scene, seconds: float, acts: Sequence[Act], calm: float, **options: Any) -> Any:
    """Let processes work while these faults befall the server in turn, and judge what they read."""
    trial = scene.hold(
        seconds, PROCESSES, SEED, lambda scene, left: in_turn(scene, left, acts, calm), **options
    )
    verdict = trial.verdict(BOUND_MS)
    print(verdict)
    assert verdict.wrong == []
    assert trial.wrong == []
    return verdict


def test_no_read_is_older_than_delivery_takes(scene: Scene) -> None:
    """Not by the time for which a subscription or all connections are lost, either."""
    verdict = hold(scene, 3.5, [none, kill_subscribers], 0.0, budget=PATIENT, proxied=False)
    assert verdict.checked > 2000
    assert verdict.alone == 0
    assert all(len(event_times(seen, LOST)) > 1 for seen in scene.trial.seen)
    assert all(not seen.errors for seen in scene.trial.seen)


def test_nor_in_any_outage(scene: Scene) -> None:
    """A node's own changes stay readable on it, and its healing undoes none of them."""
    acts = [freeze, half_open, strand, pause]
    verdict = hold(scene, 5.0, acts, CALM, budget=HASTY)
    assert verdict.checked > 1000
    assert verdict.alone > 200
    assert all(len(event_times(seen, BACK)) >= len(acts) for seen in scene.trial.seen)


def test_nor_when_the_server_is_full_locked_or_gone(scene: Scene) -> None:
    """It comes back empty; once all are healed, each node says about each key what Redis says."""
    verdict = hold(scene, 5.0, [full, cut, password], CALM, budget=HASTY)
    assert verdict.checked > 1000
    assert verdict.alone > 200
    assert all("full" in seen.errors for seen in scene.trial.seen)
