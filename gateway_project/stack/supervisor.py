"""Start processes in order, end with the first that ends, stop them in the opposite order."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from gateway_project.stack.child import Child
from gateway_project.stack.signals import Signals

START_SECONDS = 30.0
STOP_SECONDS = 6.0


class ChildError(Exception):
    """A process ended by itself, or was not ready in time."""


class StopAsked(Exception):
    """A signal asked the supervisor to stop."""


class Supervisor:
    """Own the processes of a running stack.

    To be used as a context: at its end none of them is left, however it ends. A second Ctrl-C
    kills those that still take their time.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._groups: list[Sequence[Child]] = []
        self._reloads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        patience = max(self._signals.stops, 1)
        while self._groups:
            self._stop(self._groups.pop(), patience)

    def start(self, *children: Child) -> None:
        """Take over children that were just started, and wait until all of them are ready.

        Raises:
            ChildError: If one ended, or was not ready in time.
            StopAsked: If a signal came meanwhile.
        """
        self._groups.append(children)
        deadline = time.monotonic() + START_SECONDS
        while waiting := [child for child in children if not child.ready]:
            if time.monotonic() > deadline:
                raise ChildError(f"{waiting[0].name} was not ready within {START_SECONDS:g} s.")
            self._check()
            self._signals.wait(0.5, [child.line for child in waiting])
            for child in waiting:
                child.listen()

    def watch(self) -> None:
        """Pass requests to reload on, until a signal asks to stop or a child ends.

        Raises:
            ChildError: If a child ended by itself.
            StopAsked: If a signal came.
        """
        while True:
            self._check()
            self._pass_on()
            self._signals.wait(None)

    def _pass_on(self) -> None:
        """Tell the children of a reload; several requests since the last time are one."""
        if self._reloads == self._signals.reloads:
            return
        self._reloads = self._signals.reloads
        for child in self._children():
            if child.reloads:
                child.reload()

    def _check(self) -> None:
        if self._signals.stops:
            raise StopAsked
        for child in self._children():
            if not child.running():
                raise ChildError(f"{child.name} (process {child.pid}) {child.ending()}.")

    def _children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def _stop(self, children: Sequence[Child], patience: int) -> None:
        for child in children:
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.running() for child in children):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._signals.stops > patience:
                break
            self._signals.wait(remaining)
        for child in children:
            child.kill()
            child.close()
