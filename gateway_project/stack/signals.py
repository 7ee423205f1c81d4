"""The supervisor's signals, as something that ``select`` can wait for."""

import os
import selectors
import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self

STOP = (signal.SIGINT, signal.SIGTERM)
STANDARD = (0, 1, 2)


class Signals:
    """Count the requests to stop and to reload, and wake a wait at each, or when a child ends.

    SIGHUP asks for a reload, unless it says that the terminal was closed: then it asks to stop.
    To be used as a context, in the main thread; the former handlers come back at its end.
    """

    def __init__(self) -> None:
        self.stops = 0
        self.reloads = 0
        # `nohup` puts other files where a terminal was, so what it starts outlives the terminal.
        self._terminals = [number for number in STANDARD if os.isatty(number)]
        self._wake, self._woken = socket.socketpair()

    def __enter__(self) -> Self:
        for end in (self._wake, self._woken):
            end.settimeout(0)
        self._former = {
            number: signal.signal(number, self._note)
            for number in (*STOP, signal.SIGHUP, signal.SIGCHLD)
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
        if number in STOP or (number == signal.SIGHUP and self._terminal_closed()):
            self.stops += 1
        elif number == signal.SIGHUP:
            self.reloads += 1

    def _terminal_closed(self) -> bool:
        # The kernel cuts a terminal off before it sends the signal; from then on it is none.
        return any(not os.isatty(number) for number in self._terminals)
