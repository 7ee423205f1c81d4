"""A worker process by itself, with an application that tells of the process."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import Any

import httpx

from benchmarks.gateway import servers


async def told(scope: Any, receive: Any, send: Any) -> None:
    """Answer with how many objects the collector leaves alone, and how many it looks at."""
    body = f"{gc.get_freeze_count()} {len(gc.get_objects())}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def test_the_collector_leaves_alone_what_was_there_before_the_first_request():
    with ExitStack() as stack:
        worker = servers.uvicorn(stack, f"{__name__}:told", {})
        answer = httpx.get(worker.address, trust_env=False, timeout=10)
    frozen, others = map(int, answer.text.split())
    assert frozen > 10_000 > others
