"""Requests a second for one cached page, end to end: `cache_page`, the gateway, and the limits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks import cores
from benchmarks.gateway.load import generator, load
from benchmarks.gateway.rivals import Name, Rival, missing, participants, running
from benchmarks.part import Part, Progress, Result, Run
from benchmarks.parts.gateway_tables import Sample, Samples, tables

ROUNDS, QUICK_ROUNDS = 6, 1
SECONDS = 1
"""That each server is asked in one round; wrk takes whole ones."""

WARM_REQUESTS = 100
CONNECTIONS = 32


def measure(run: Run) -> Result:
    """Start all servers, ask them in turns, and end them."""
    with ExitStack() as stack:
        with cores.chosen({os.getpid(): 0}):
            rivals, bodies = stack.enter_context(running(run.url))
        with cores.chosen({os.getpid(): 1, cores.id_of(run.url): 1}):
            samples = rounds(rivals, _chosen(run, bodies), run)
    sizes = {name: f"{len(body):,} bytes" for name, body in bodies.items()}
    return Result(tables({sizes[name]: made for name, made in samples.items()}), notes(), missing())


def rounds(rivals: Sequence[Rival], bodies: Mapping[str, bytes], run: Run) -> Samples:
    """Measure every rival with every body, all of them in turn in each round."""
    samples: dict[str, dict[Name, list[Sample]]] = {
        body: {rival.name: [] for rival in rivals} for body in bodies
    }
    for rival in rivals:
        _say(run.progress, rival, "warming up")
        for body, expected in bodies.items():
            rival.warm(body, expected, WARM_REQUESTS)
        run.progress.step()
    for number in range(_rounds(run)):
        for body, expected in bodies.items():
            for rival in turned(rivals, number):
                _say(run.progress, rival, body)
                samples[body][rival.name].append(_sample(rival, body))
                rival.check(body, expected)
                run.progress.step()
    return samples


def turned(rivals: Sequence[Rival], number: int) -> Sequence[Rival]:
    """Return them in another order each round: who comes after whom makes a difference."""
    return rivals[::-1] if number % 2 else rivals


def _sample(rival: Rival, body: str) -> Sample:
    before = rival.server.processor()
    made = load(rival.url(body), CONNECTIONS, SECONDS)
    return Sample(made, rival.server.processor() - before)


def _say(progress: Progress, rival: Rival, what: str) -> None:
    progress.say(f"{rival.name.kind} under {rival.name.under}, {what}")


def notes() -> list[str]:
    """Say how it was measured, and on which of uvicorn's parts."""
    from uvicorn.loops.auto import auto_loop_factory
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    loop = auto_loop_factory(use_subprocess=False).__module__.partition(".")[0]
    parser = "httptools" if "httptools" in AutoHTTPProtocol.__module__ else "h11"
    served = (
        f"One worker process each; requests by {generator()}: {CONNECTIONS} connections, each of "
        f"which asks again when it is answered. uvicorn runs on {parser} and {loop}, and keeps "
        "connections; gunicorn's sync worker closes each of them after one answer."
    )
    return [served, *([_APART] if cores.can_be_chosen() else []), _TURNS, _PROJECT]


_APART: Final = (
    "The servers' processes are kept on one core, who asks them and Redis on another. Under "
    "uvicorn Django's views run in a second thread, and where the system moves that about, a "
    "server is a third faster or slower from one second to the next."
)
_TURNS: Final = (
    "All servers run at once and take turns within each round. Before the first round and after "
    "each, every server is asked for the body, byte by byte, and has to prove that it did not make "
    "it anew."
)
_PROJECT: Final = (
    "`cache_page` is over the same project for all: one view that has the body at hand, and no "
    "middleware."
)


def _rounds(run: Run) -> int:
    return QUICK_ROUNDS if run.quick else ROUNDS


def _chosen(run: Run, bodies: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the bodies that are asked for: with `quick` the small one alone."""
    return {name: body for name, body in bodies.items() if name == "small" or not run.quick}


def _steps(run: Run) -> int:
    return len(participants()) * (1 + _rounds(run) * (1 if run.quick else 2))


PART: Final = Part("gateway", "Gateway, end to end", _steps, measure)
