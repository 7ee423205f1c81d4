"""Telemetry as data: what was asked of Redis and what was loaded, told to hooks, one for each sink.

Nobody listens unless somebody has said so (`add`): then a step costs one look at an empty tuple. A
hook is called where the work is done, in the thread or task of the caller, so that a tracer finds
the caller's context; what it raises is logged once, and hurts no call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from .loading import LoadContext

logger = logging.getLogger("tiercache")

Outcome: TypeAlias = Literal["loaded", "declined", "failed"]
"""What became of a load: "declined" is a value that is handed over and stored nowhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store's server is.

    Attributes:
        store: as logs call it, without secrets.
        address, port: the host, or a Unix socket's path and None; "" and None while only Sentinels
            know it.
        database: its number.
    """

    store: str
    address: str
    port: int | None
    database: int


@dataclass(frozen=True, slots=True)
class RedisOperation:
    """One step that was sent to Redis, all of its commands at once. No key is in it.

    Attributes:
        place: the server.
        step: what it was for, as `steps` calls it: "Read", "Store".
        commands: the commands' names, in order.
        began: when, in nanoseconds of Unix time.
        nanoseconds: how long it took.
        error: "" if it was served; else one of `RedisAway.KINDS`, or `code` where the command does
            not fit what is under the key.
        code: what the server's refusal began with ("WRONGTYPE"), "" where it refused nothing.
    """

    place: Place
    step: str
    commands: tuple[str, ...]
    began: int
    nanoseconds: int
    error: str
    code: str


@dataclass(frozen=True, slots=True)
class Load:
    """A value that is about to be computed. Its key is not in it."""

    cache: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A value that has been computed, or was not.

    Attributes:
        load: which.
        nanoseconds: how long it took.
        outcome: what became of it.
        error: what was raised, None if nothing was.
    """

    load: Load
    nanoseconds: int
    outcome: Outcome
    error: BaseException | None


AfterLoad: TypeAlias = Callable[[Loaded], object]


class Hook(Protocol):
    """A sink."""

    def on_redis(self, operation: RedisOperation) -> None:
        """Note a step that was sent to Redis; called after it."""

    def on_load(self, load: Load) -> AfterLoad:
        """Note that a load begins; what is returned is called when it has ended.

        Both calls are made in the same context, and what the load does is done in it as well.
        """


hooks: tuple[Hook, ...] = ()
"""Who is told; replaced as a whole, and empty while nobody listens."""

_hurt: set[int] = set()


def add(hook: Hook) -> None:
    """Tell a hook from now on; once, however often it is added."""
    global hooks  # noqa: PLW0603 - replaced as a whole, so that it is read without a lock
    if hook not in hooks:
        hooks = (*hooks, hook)


def remove(hook: Hook) -> None:
    """Tell a hook no more."""
    global hooks  # noqa: PLW0603 - as above
    hooks = tuple(other for other in hooks if other is not hook)
    _hurt.discard(id(hook))


def tell(operation: RedisOperation) -> None:
    """Tell every hook of a step that was sent to Redis."""
    for hook in hooks:
        _call(hook, hook.on_redis, operation)


@contextmanager
def loading(cache: str, context: LoadContext) -> Generator[None]:
    """Tell every hook of the load in this block."""
    if not hooks:
        yield
        return
    load, began = Load(cache), time.perf_counter_ns()
    afterwards = [(hook, _call(hook, hook.on_load, load)) for hook in hooks]
    error: BaseException | None = None
    try:
        yield
    except BaseException as exc:
        error = exc
        raise
    finally:
        taken = time.perf_counter_ns() - began
        loaded = Loaded(load, taken, _outcome(context, error), error)
        # The last that began ends first, as contexts have to.
        for hook, after in reversed(afterwards):
            if after is not None:
                _call(hook, after, loaded)


def _outcome(context: LoadContext, error: BaseException | None) -> Outcome:
    if error is not None:
        return "failed"
    return "loaded" if context.stored else "declined"


def _call(hook: Hook, function: Callable[[Any], Any], told: object) -> Any:
    """Call a hook; None if it raised, which is logged the first time."""
    try:
        return function(told)
    except Exception:
        if id(hook) not in _hurt:
            _hurt.add(id(hook))
            logger.exception(
                "tiercache.telemetry.failed: %r; further errors of it are not logged",
                hook,
                extra={"event": "tiercache.telemetry.failed"},
            )
        return None
