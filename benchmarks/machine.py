"""Which machine this is, and which versions of everything that figures depend on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from .rivals import RIVALS

PACKAGES: Final = {
    "Django": "Django",
    "redis-py": "redis",
    "hiredis": "hiredis",
    "django-redis": "django-redis",
    "uvicorn": "uvicorn",
    "gunicorn": "gunicorn",
    "theine": "theine",
}
"""What figures depend on besides the rivals: what the page calls it, and the distribution."""

_PROCESSOR: Final = "model name"


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model and how many cores this process may use; no host's name."""
    model = platform.processor() or platform.machine()
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(_PROCESSOR):
                model = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}"


def versions(server: Mapping[str, Any]) -> dict[str, str]:
    """Return versions by name; what is not installed is left out.

    Args:
        server: what the server answers to `INFO server`.
    """
    packages = dict(PACKAGES)
    for rival in RIVALS.values():
        if rival.package and rival.package not in packages.values():
            packages[rival.name] = rival.package
    found = {name: _version(package) for name, package in packages.items()}
    name = "Valkey" if "valkey_version" in server else "Redis"
    return {
        "Python": platform.python_version(),
        name: str(server.get("valkey_version", server["redis_version"])),
        **{name: number for name, number in found.items() if number},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
