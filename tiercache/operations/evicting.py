"""Evict what an operator has selected, and learn which nodes have dropped their copies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from redis.exceptions import ResponseError

from tiercache.backend import TieredCache
from tiercache.exceptions import RedisAway
from tiercache.keys import matcher
from tiercache.steps import Flow, Remove, Step
from tiercache.trouble import away

from . import auditing
from .asking import Answers, ask
from .auditing import Actor, Origin
from .handles import alias_of, budget_of, flows_of, node_of, send
from .outcomes import Outcome, Progress, Tally, outcome_of
from .previewing import TIERS, Preview, Tier, preview
from .selecting import BadSelection, Selection

__all__ = [
    "TIERS",
    "BadSelection",
    "Outcome",
    "Preview",
    "Selection",
    "Tier",
    "carry_out",
    "preview",
]

MOST_AT_ONCE: Final = 10_000
"""Keys in one batch: the server does nothing else meanwhile."""

LEAST_WAIT: Final = 0.05
"""Seconds that nodes get for each question, where there are many."""


def carry_out(
    cache: TieredCache,
    selection: Selection,
    tier: Tier,
    *,
    actor: Actor,
    origin: Origin,
    wait: float = 2.0,
    batch: int = 1000,
    progress: Progress | None = None,
    previewed: int | None = None,
    nonce: str | None = None,
) -> Outcome:
    """Evict from Redis and every memory ("all"), or drop what the memories hold ("memory").

    By the cache's own operations, so what holds for a `delete` holds here. It takes effect at once,
    in a transaction as well. Where Redis is away, this process drops its copies and makes the rest
    good once it is back. Before anything is done, a row is written to the audit; it is finished
    whatever happens, and the exception goes on.

    Args:
        wait: seconds for all nodes to confirm.
        batch: keys in one step.
        progress: called after each step.
        previewed: keys that were announced.
        nonce: of the token that allows it (`tokens.check`).

    Raises:
        BadSelection: this cache cannot evict it; nothing was done.
        TokenUsed: the nonce has been used before; nothing was done.
        ValueError: `batch` or `tier` cannot be.
    """
    _refuse_unfit(tier, batch)
    selection.check(cache)
    record = auditing.begin(
        alias_of(cache), selection.shown, tier, actor, origin, previewed=previewed, nonce=nonce
    )
    tally = Tally(progress)
    try:
        if tier == "all":
            _evict(cache, selection, batch, tally)
            tally.answers.append(ask(cache, "ping", wait))
        else:
            tally.answers += _drop(cache, selection, wait)
        outcome = outcome_of(cache, tier, tally, audited=record.audited)
    except BaseException as exc:
        auditing.fail(record, exc, removed=tally.removed)
        raise
    auditing.finish(record, outcome)
    return outcome


def _refuse_unfit(tier: Tier, batch: int) -> None:
    if tier not in TIERS:
        raise ValueError(f"tier is {tier!r}; allowed: {', '.join(TIERS)}")
    if not 1 <= batch <= MOST_AT_ONCE:
        raise ValueError(f"batch is {batch!r}; allowed: 1 to {MOST_AT_ONCE}")


# Evicting


def _evict(cache: TieredCache, selection: Selection, batch: int, tally: Tally) -> None:
    flows = flows_of(cache)
    try:
        if selection.kind == "tag":
            known = _run(cache, flows.evict((selection.full_tag(cache),)), tally)
            tally.add(0 if tally.away else known)
        elif selection.kind == "keys":
            _evict_keys(cache, selection, batch, tally)
        else:
            glob = selection.glob(cache)
            gone = _run(cache, flows.remove_pattern(glob, matcher(glob), batch), tally)
            _note_dropped(cache, gone, tally)
    except RedisAway as exc:
        # Raw commands, and all where callers would rather see an error ("FALLBACK": "raise").
        tally.away = str(exc)


def _evict_keys(cache: TieredCache, selection: Selection, batch: int, tally: Tally) -> None:
    named, raw = _by_form(selection.keys)
    for part in _parts(named, batch):
        _note_dropped(cache, _run(cache, flows_of(cache).delete(tuple(part)), tally), tally)
    for names in _parts(raw, batch):
        # No memory holds what is not text, and no lease is for it.
        (reply,) = send(cache, ("UNLINK", *names), changes=True)
        if isinstance(reply, ResponseError):
            raise away(reply, connected=True) or reply
        tally.add(reply)


def _by_form(keys: tuple[bytes, ...]) -> tuple[list[str], list[bytes]]:
    """Return the keys that are text, and those that are not."""
    named, raw = [], []
    for key in keys:
        try:
            named.append(key.decode())
        except UnicodeDecodeError:
            raw.append(key)
    return named, raw


def _parts(items: list[Any], most: int) -> Iterator[list[Any]]:
    return (items[start : start + most] for start in range(0, len(items), most))


def _run(cache: TieredCache, flow: Flow[Any], tally: Tally) -> Any:
    return node_of(cache).run(_watched(flow, tally), budget_of(cache))


def _watched(flow: Flow[Any], tally: Tally) -> Flow[Any]:
    """Do what a flow does; note what it removes, and whether Redis is away."""
    try:
        step = next(flow)
        while True:
            try:
                answer = yield step
            except BaseException as exc:  # noqa: BLE001 - the flow decides
                if isinstance(exc, RedisAway) and exc.kind != "alone":
                    tally.away = str(exc)
                step = flow.throw(exc)
            else:
                _note(step, answer, tally)
                step = flow.send(answer)
    except StopIteration as stop:
        return stop.value


def _note_dropped(cache: TieredCache, gone: int, tally: Tally) -> None:
    if node_of(cache).state == "alone":
        tally.dropped = (tally.dropped or 0) + gone


def _note(step: Step, answer: Any, tally: Tally) -> None:
    if isinstance(step, Remove) and not step.evicts:
        tally.add(answer)


def _drop(cache: TieredCache, selection: Selection, wait: float) -> list[Answers]:
    """Ask as often as it takes; however often that is, silence is waited for once."""
    until = time.monotonic() + wait
    return [
        ask(cache, "drop", max(until - time.monotonic(), LEAST_WAIT), **details)
        for details in selection.details(cache)
    ]
