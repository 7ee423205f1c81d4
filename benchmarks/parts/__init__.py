"""The parts of the benchmarks, a module each with one public name, `PART`."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from benchmarks.part import Part

MODULES: Final = {
    "operations": "operations",
    "threads": "threads",
    "asyncio": "concurrency",
    "hit-ratio": "hit_ratio",
    "stampede": "stampede",
    "memory": "memory",
    "growth": "growth",
    "nodes": "nodes",
    "gateway": "gateway",
    "profile": "profile",
}
"""Where each part is, by its name, in the order in which they are run and shown."""


def find(name: str) -> Part:
    """Return a part by its name."""
    part: Part = import_module(f"{__name__}.{MODULES[name]}").PART
    return part
