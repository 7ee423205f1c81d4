"""What the site is told of a node: a line in the log and a signal for each change of state."""

from __future__ import annotations

import logging

from . import signals
from .exceptions import Undecodable

logger = logging.getLogger("tiercache")

MOST_KINDS = 32
"""Kinds of undecodable values that are logged, once each."""


def redis_changed(sender: type, store: str, state: str, reason: str) -> None:
    """Tell that Redis is asked again ("up"), or what it is not asked any more, and why."""
    signals.tell(signals.breaker_changed, sender, store=store, state=state, reason=reason)
    name = "back" if state == "up" else state
    extra = {"event": f"tiercache.redis.{name}", "store": store, "state": state, "reason": reason}
    if state == "up":
        logger.info("tiercache.redis.back: %s answers again", store, extra=extra)
        return
    logger.warning(
        "tiercache.redis.%s: %s (%s); memory alone answers what it cannot",
        state,
        store,
        reason,
        extra=extra,
    )


def backplane_changed(sender: type, store: str, state: str) -> None:
    """Tell that changes are heard again ("joined"), or may be missed ("lost")."""
    signals.tell(signals.backplane_changed, sender, store=store, state=state)
    extra = {"event": f"tiercache.backplane.{state}", "store": store}
    if state == "joined":
        logger.info("tiercache.backplane.joined: %s", store, extra=extra)
        return
    logger.warning(
        "tiercache.backplane.lost: %s; memory is not read until it is back", store, extra=extra
    )


class Undecodables:
    """Tells of values that could not be read: of each kind of error the first time."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._kinds: set[str] = set()

    def tell(self, key: str, error: Undecodable) -> None:
        """Tell of one, unless one like it has been told of."""
        kind = type(error.__cause__).__name__
        if kind in self._kinds or len(self._kinds) >= MOST_KINDS:
            return
        self._kinds.add(kind)
        logger.warning(
            "tiercache.undecodable: %r of %s is a miss: %s; further ones like it are counted only",
            key,
            self._store,
            error,
            extra={"event": "tiercache.undecodable", "store": self._store, "kind": kind},
        )
