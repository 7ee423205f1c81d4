"""Threads for work that no caller waits for: started when needed, ended when idle.

They are daemons, so that a loader that hangs does not keep the process from ending.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable

logger = logging.getLogger("tiercache")

MOST_THREADS = 16
"""Threads at once for what nobody waits for; what comes beyond waits its turn."""

MOST_AWAITED = 256
"""Threads at once where somebody waits for what they do."""

MOST_WAITING = 10_000
"""Pieces of work that wait at the most; further ones are refused."""

IDLE = 10.0
"""Seconds after which a thread without work ends."""

_FAILED = {"event": "tiercache.background.failed"}


class Background:
    """Does work on threads of its own. Thread-safe."""

    def __init__(self) -> None:
        self._work: deque[Callable[[], object]] = deque()
        self._ready = threading.Condition(threading.Lock())
        self._threads = 0
        self._idle = 0

    def do(self, work: Callable[[], object], *, awaited: bool = False) -> bool:
        """Do this soon; return False if there is too much to do already.

        What it raises is logged. Database connections that it opened are closed afterwards.

        Args:
            work: what to do.
            awaited: whether somebody waits for it, so that it should not wait for other work.
        """
        with self._ready:
            if len(self._work) >= MOST_WAITING:
                return False
            if self._idle <= len(self._work):
                self._hire(MOST_AWAITED if awaited else MOST_THREADS)
            if not self._threads:
                return False
            (self._work.appendleft if awaited else self._work.append)(work)
            self._ready.notify()
            return True

    def _hire(self, most: int) -> None:
        """Start another thread, if there may be one."""
        if self._threads >= most:
            return
        thread = threading.Thread(target=self._run, name="tiercache-load", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread to be had, as while the interpreter ends; those there are go on.
            return
        self._threads += 1

    def _run(self) -> None:
        while work := self._next():
            try:
                work()
            except BaseException:
                logger.exception("tiercache.background.failed", extra=_FAILED)
            finally:
                del work
                _close_connections()

    def _next(self) -> Callable[[], object] | None:
        """Return what to do next; None if there was nothing for so long that this thread ends."""
        with self._ready:
            self._idle += 1
            there = self._ready.wait_for(lambda: self._work, IDLE)
            self._idle -= 1
            if there:
                return self._work.popleft()
            self._threads -= 1
            return None


def _close_connections() -> None:
    """Close the database connections of this thread, which no request's end would close."""
    if "django.db" in sys.modules:
        from django.db import connections

        try:
            connections.close_all()
        except Exception:
            # Whatever a database says, the thread has other work to do.
            logger.exception("tiercache.background.failed", extra=_FAILED)


background = Background()


def reset_after_fork() -> None:
    """In a child: the threads are the parent's."""
    global background  # noqa: PLW0603 - its lock and its queue are one process's
    background = Background()
