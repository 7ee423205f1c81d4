"""Threads for work that no caller waits for: started when needed, ended when idle.

They are daemons, so that a loader that hangs does not keep the process from ending.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger("tiercache")

MOST_THREADS = 16
"""Threads at once; what comes beyond waits its turn."""

MOST_WAITING = 10_000
"""Pieces of work that wait at the most; further ones are refused."""

IDLE = 10.0
"""Seconds after which a thread without work ends."""


class Background:
    """Does work on threads of its own. Thread-safe."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def do(self, work: Callable[[], object]) -> bool:
        """Do this soon; return False if there is too much to do already.

        What it raises is logged. Database connections that it opened are closed afterwards.
        """
        with self._lock:
            if self._work.qsize() >= MOST_WAITING:
                return False
            self._work.put(work)
            if self._idle >= self._work.qsize() or self._threads >= MOST_THREADS:
                return True
            thread = threading.Thread(target=self._run, name="tiercache-load", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No thread to be had, as while the interpreter ends; those there are go on.
                return self._threads > 0
            self._threads += 1
            return True

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            try:
                work = self._work.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    self._idle -= 1
                    # Whoever put something in since then counted on this thread.
                    if self._work.empty():
                        self._threads -= 1
                        return
                continue
            with self._lock:
                self._idle -= 1
            try:
                work()
            except BaseException:
                logger.exception("tiercache.background.failed")
            finally:
                del work
                _close_connections()


def _close_connections() -> None:
    """Close the database connections of this thread, which no request's end would close."""
    if "django.db" in sys.modules:
        from django.db import connections

        connections.close_all()


background = Background()


def reset_after_fork() -> None:
    """In a child: the threads are the parent's."""
    global background  # noqa: PLW0603 - its lock and its queue are one process's
    background = Background()
