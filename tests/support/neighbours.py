"""Other processes that use the same cache, and do as they are told."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """
import json, sys, time
from django.conf import settings
settings.configure(CACHES=json.loads(sys.argv[1]))
from django.core.cache import cache

node = cache._node
cache.get("nothing")
deadline = time.monotonic() + 10
while cache.stats().backplane == "lost" and time.monotonic() < deadline:
    time.sleep(0.005)
calls = {
    "id": lambda: node.id,
    "backplane": lambda: cache.stats().backplane,
    "get": cache.get,
    "set": cache.set,
    "held": lambda key: cache.make_key(key) in node.memory.entries,
    "eval": lambda code: eval(code, {"cache": cache, "node": node}),
}
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(calls[name](*arguments)), flush=True)
"""


class Neighbour:
    """One process with the caches given; a node of their stores from the beginning."""

    def __init__(self, caches: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, json.dumps(caches)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def begin(self) -> None:
        """Wait until it listens."""
        self.id: str = self.do("id")

    def do(self, name: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def worth(self, code: str) -> Any:
        """Return what an expression about `cache` and `node` is worth there."""
        return self.do("eval", code)

    def close(self) -> None:
        """End it as a deployment does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._wait()

    def kill(self) -> None:
        """End it as the kernel does (SIGKILL)."""
        self._process.kill()
        self._wait()

    def _wait(self) -> None:
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
