"""Signals for the site's own code: evictions, and changes of what is trusted.

Receivers of `breaker_changed` and `backplane_changed` run on a background thread, one signal after
the other in the order in which things happened, so nothing they do holds up a call or a lock; they
may use the database. What a receiver raises is logged by Django ("django.dispatch") and goes no
further.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from django.dispatch import Signal

from . import background

MOST_WAITING: Final = 1000
"""Signals that wait for a receiver that takes its time; the oldest are let go."""

breaker_changed = Signal()
"""Redis is asked again, or not any more, by this process.

Sent by `Node` with `store` (its name, without secrets), `state` ("up", "read-only", "away") and
`reason` (one of `RedisAway.KINDS`, "" for "up").
"""

backplane_changed = Signal()
"""This process hears what others change, or does not any more.

Sent by `Backplane` with `store` and `state` ("joined", "lost").
"""

evicted = Signal()
"""Somebody has evicted something by a page, a command or an API; sent where that was done.

Sent with `cache` (the alias), `selection` (as text), `tier` ("all", "memory"), `removed` (keys
removed from Redis), `dropped` (copies dropped from memory, None where nobody counted), `confirmed`
and `silent` (node ids), `actor` (a user's name) and `origin` ("page", "command", "API").
"""

_news: deque[tuple[Signal, type, dict[str, Any]]] = deque(maxlen=MOST_WAITING)
_telling = threading.Lock()


def tell(signal: Signal, sender: type, **facts: Any) -> None:
    """Send a signal soon, on a background thread; nothing is done if nobody listens."""
    if signal.has_listeners(sender):
        _news.append((signal, sender, facts))
        background.background.do(_tell_all)


def _tell_all() -> None:
    """Send what waits, in order, unless another thread is at it."""
    # Who lets go of the lock looks again, so that nothing stays that came meanwhile.
    while _news and _telling.acquire(blocking=False):
        try:
            signal, sender, facts = _news.popleft()
            signal.send_robust(sender, **facts)
        except IndexError:
            # Another thread has sent it between the look and the lock.
            continue
        finally:
            _telling.release()


def reset_after_fork() -> None:
    """In a child: what waits is the parent's to tell, and so is its lock."""
    global _telling  # noqa: PLW0603 - a thread of the parent's may have held it
    _telling = threading.Lock()
    _news.clear()
