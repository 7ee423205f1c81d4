"""Cancellation: the work is cancelled once, and what it does afterwards is not cut short."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from gateway_project.upstreams.shelter import sheltered


class Work:
    """Work without end that tidies up, in several steps, when it is cancelled."""

    def __init__(self) -> None:
        self.began, self.tidying, self.go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.tidied = False

    async def run(self) -> None:
        try:
            self.began.set()
            await asyncio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                self.tidying.set()
                await self.go_on.wait()
                self.tidied = True


async def number() -> int:
    return 7


async def test_the_result_is_returned():
    assert await sheltered(number()) == 7


async def test_an_error_is_raised():
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await sheltered(fail())


async def test_what_takes_too_long_is_cancelled():
    work = Work()
    work.go_on.set()

    with pytest.raises(TimeoutError):
        await sheltered(work.run(), within=0.01)

    assert work.tidied


async def test_a_cancelled_caller_waits_until_all_is_in_order():
    work = Work()
    caller = asyncio.create_task(sheltered(work.run()))
    await work.began.wait()

    caller.cancel()
    await work.tidying.wait()
    assert not caller.done()
    work.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.tidied


async def test_cancelling_while_all_is_being_put_in_order_does_not_cut_it_short():
    work = Work()
    caller = asyncio.create_task(sheltered(work.run(), within=0.01))
    await work.tidying.wait()

    caller.cancel()
    await asyncio.sleep(0)
    work.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.tidied


async def test_what_comes_after_the_caller_was_cancelled_is_discarded():
    discarded: list[int] = []

    async def discard(result: int) -> None:
        discarded.append(result)

    async def stubborn() -> int:
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(0.01)
        return 7

    caller = asyncio.create_task(sheltered(stubborn(), discard=discard))
    await asyncio.sleep(0)
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert discarded == [7]
