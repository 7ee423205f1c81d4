"""Servers and pools, each closed when the test ends."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from gateway_project.upstreams import Pool, PoolOptions
from tests.gateway.upstreams.servers import WELL, Answer, Server, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start servers that answer in the given way."""
    async with AsyncExitStack() as servers:

        async def start(answer: Answer = WELL) -> Server:
            return await servers.enter_async_context(serving(answer))

        yield start


@pytest.fixture
async def make_pool() -> AsyncIterator[Callable[..., Pool]]:
    """Make pools of the given servers; time-outs are short unless told otherwise."""
    async with AsyncExitStack() as pools:

        def make(*servers: Server | str, **options: Any) -> Pool:
            urls = tuple(one.url if isinstance(one, Server) else one for one in servers)
            pool = Pool("prices", PoolOptions(servers=urls, **{"timeout": 0.3, **options}))
            pools.push_async_callback(pool.aclose)
            return pool

        yield make
