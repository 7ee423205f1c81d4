"""The supervisor's signals, as something that ``select`` can wait for."""

import selectors
import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Count the requests to stop, and wake a wait when one arrives or a child ends.

    To be used as a context, in the main thread; the former handlers come back at its end.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._wake, self._woken = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._wake, self._woken):
            end.settimeout(0)
        self._former = {
            number: signal.signal(number, self._note) for number in (*STOP, signal.SIGCHLD)
        }
        self._former_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._former_fd)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._wake.close()
        self._woken.close()

    def wait(self, timeout: float | None, lines: Iterable[socket.socket] = ()) -> None:
        """Wait until a signal arrives, one of the lines has something to say, or time is up."""
        with selectors.DefaultSelector() as selector:
            for line in (self._woken, *lines):
                selector.register(line, selectors.EVENT_READ)
            selector.select(timeout)
        self._drain()

    def _drain(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number in STOP:
            self.stops += 1
