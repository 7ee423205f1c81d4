"""The background thread: one for each process, for what no request should wait for.

It sweeps expired entries out of memory and asks whether Redis is back. It is started on first
use, so after a fork if there is one, and ends with the process.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from typing import Final, Protocol

logger = logging.getLogger("tiercache")

LONGEST_NAP = 1.0
"""Seconds between two rounds at the most."""

JOIN = 1.0
"""Seconds that the end of the process waits for the thread at the most."""

FAREWELLS: Final = 1.0
"""Seconds after which nobody is bidden farewell any more: where servers hang, each takes long."""


class Tended(Protocol):
    """What the keeper looks after."""

    def tend(self) -> float | None:
        """Do what is due; return in how many seconds to come back, None for whenever."""

    def farewell(self) -> None:
        """Do what is left, for the process ends."""


class Keeper:
    """Calls `tend` of everything it was given, as long as that exists."""

    def __init__(self) -> None:
        self._tended: weakref.WeakSet[Tended] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = False

    def look_after(self, tended: Tended) -> None:
        """Take something in; start the thread if it does not run."""
        with self._lock:
            self._tended.add(tended)
            if self._thread is None and not self._ended:
                thread = threading.Thread(target=self._run, name="tiercache", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # No thread to be had now: what is due waits for the next node's first use.
                    logger.warning(
                        "tiercache.keeper.failed: no thread can be started",
                        extra={"event": "tiercache.keeper.failed"},
                    )
                else:
                    self._thread = thread

    def let_go(self, tended: Tended) -> None:
        """Look after something no more."""
        with self._lock:
            self._tended.discard(tended)

    def wake(self) -> None:
        """Go round now."""
        self._wake.set()

    def end(self) -> None:
        """End the thread; it is not started again."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN)
        over = time.monotonic() + FAREWELLS
        for tended in self._everyone():
            if time.monotonic() > over:
                return
            try:
                tended.farewell()
            except Exception:
                # Nothing is worth holding up the end of the process.
                logger.exception(
                    "tiercache.keeper.failed", extra={"event": "tiercache.keeper.failed"}
                )

    def _run(self) -> None:
        while not self._ended:
            nap = LONGEST_NAP
            started = time.monotonic()
            tended: Tended | None
            for tended in self._everyone():
                try:
                    due = tended.tend()
                except Exception:
                    # One node's trouble must not end the care for the others.
                    logger.exception(
                        "tiercache.keeper.failed", extra={"event": "tiercache.keeper.failed"}
                    )
                    due = None
                if due is not None:
                    nap = min(nap, due)
            # Or this frame would keep the last one alive over the nap.
            tended = None
            nap -= time.monotonic() - started
            if nap > 0:
                self._wake.wait(nap)
            self._wake.clear()

    def _everyone(self) -> list[Tended]:
        with self._lock:
            return list(self._tended)


keeper = Keeper()


def wake() -> None:
    """Let this process's keeper go round now."""
    keeper.wake()


@atexit.register
def _end() -> None:
    keeper.end()


def reset_after_fork() -> None:
    """In a child: the thread is the parent's. Nothing is looked after until it is used."""
    global keeper  # noqa: PLW0603 - the thread, its lock and its event are one process's
    keeper = Keeper()
