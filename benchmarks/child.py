"""A part, or a piece of one, that is measured in a process of its own.

    python -m benchmarks.child MODULE URL [--quick]

calls `measured(run)` of that module, and writes a line of JSON for each thing that happens: what is
being measured, each step, and in the end the result. So what fills a gigabyte of memory, or needs
settings of its own, leaves nothing behind in the process that goes on with other parts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from .part import Result, Run

ROOT: Final = Path(__file__).parent.parent


class Failed(Exception):
    """A process ended with another status than 0; it has said why on its standard error."""


def in_a_child(module: str) -> Callable[[Run], Result]:
    """Return what has `measured(run)` of a module done in a process of its own."""

    def measure(run: Run) -> Result:
        command = [module, run.url, *(["--quick"] if run.quick else [])]
        for told in lines("benchmarks.child", *command):
            if "result" in told:
                return Result.from_dict(told["result"])
            if "say" in told:
                run.progress.say(told["say"])
            else:
                run.progress.step(told["step"])
        raise Failed(f"{module} ended without a result")

    return measure


def lines(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """Run a module as a command, and yield what it writes: an object of JSON a line.

    Its standard error is ours. It is ended when the caller stops asking.

    Raises:
        Failed: it ends with another status than 0.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)
            if status := process.wait():
                raise Failed(f"{' '.join([module, *arguments])} ended with status {status}")
        finally:
            if process.poll() is None:
                process.kill()


class Told:
    """Progress that is written down for the parent."""

    def say(self, what: str) -> None:
        """Name what is being measured now."""
        _tell(say=what)

    def step(self, count: int = 1) -> None:
        """So many more steps are done."""
        _tell(step=count)


def _tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("url")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    run = Run(arguments.url, arguments.quick, Told())
    _tell(result=import_module(arguments.module).measured(run).as_dict())


if __name__ == "__main__":
    main()
