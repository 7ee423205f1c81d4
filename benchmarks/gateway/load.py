"""As many requests as a server answers: by wrk where it is installed, else by a process of ours.

    python -m benchmarks.gateway.load URL CONNECTIONS SECONDS

is that process; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.coherence_history import quantile
from benchmarks.gateway.client import Connection

ROOT = Path(__file__).parents[2]

_SCRIPT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write("\\nJSON ", string.format(
    '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run has shown.

    Attributes:
        requests: how many were answered.
        seconds: that it took.
        p50, p99: seconds from a request to the end of its answer, half and 99 % of them at most.
        errors: how many were answered with another status than 2xx or 3xx, or not at all.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def generator() -> str:
    """Say what makes the requests."""
    if wrk := shutil.which("wrk"):
        # It answers --version with its version, its usage and status 1.
        said = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False)
        return " ".join(said.stdout.split()[:2])
    return "a client of our own over asyncio, since wrk is not installed"


def load(url: str, connections: int, seconds: int) -> Load:
    """Ask for an address, over so many connections that each ask again when they are answered.

    Raises:
        subprocess.CalledProcessError: The generator fails.
        RuntimeError: Any of the requests was not answered as it should be.
    """
    made = (
        _by_wrk(url, connections, seconds)
        if shutil.which("wrk")
        else _by_ours(url, connections, seconds)
    )
    if made.errors or not made.requests:
        raise RuntimeError(f"{url}: {made.errors} errors in {made.requests} requests")
    return made


def _by_wrk(url: str, connections: int, seconds: int) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT)
        script.flush()
        said = _run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url])
    return parsed(said)


def parsed(said: str) -> Load:
    """Read what wrk has printed, at whose end is what our script has added.

    Raises:
        ValueError: That is not there.
    """
    _, found, figures = said.rpartition("JSON ")
    if not found:
        raise ValueError(f"wrk printed no figures: {said!r}")
    return Load(**json.loads(figures))


def _by_ours(url: str, connections: int, seconds: int) -> Load:
    module = "benchmarks.gateway.load"
    return Load(
        **json.loads(_run([sys.executable, "-m", module, url, str(connections), str(seconds)]))
    )


def _run(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


async def measured(url: str, connections: int, seconds: float) -> Load:
    """Do so in this process."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    times: list[float] = []
    errors = 0
    begun = time.perf_counter()

    async def ask() -> None:
        nonlocal errors
        connection = Connection(parts.hostname or "", parts.port or 80)
        while (sent := time.perf_counter()) < begun + seconds:
            try:
                answer = await connection.get(path)
            except OSError:
                errors += 1
                continue
            times.append(time.perf_counter() - sent)
            errors += answer.status >= 400
        connection.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    taken = time.perf_counter() - begun
    times.sort()
    return Load(len(times), taken, quantile(times, 0.5), quantile(times, 0.99), errors)


if __name__ == "__main__":
    address, number, duration = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(measured(address, int(number), float(duration))))))
