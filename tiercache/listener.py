"""The listening thread: hears on a connection of its own what other nodes changed.

redis-py's own Pub/Sub object reconnects and subscribes again without a word, and what was said
in between is lost. So the connection is held here, and each loss of it is told.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import methodcaller
from typing import Any, Protocol, TypeAlias

from redis.exceptions import ResponseError

from .breaker import jitter
from .line import Line, line_of
from .messages import parse
from .role import ROLE, is_replica
from .trouble import FAILURES

logger = logging.getLogger("tiercache")

HEARTBEAT = 5.0
"""Seconds of silence after which the connection counts as lost."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
"""Seconds between attempts to connect, at first and at the most."""

CLOSE = 0.001
FIRST_REST = 0.0005
LONGEST_REST = 0.004
"""Seconds: what comes so soon after the last message is followed by a rest, so long at first, twice
as long each time that it goes on, and so long at the most.

What is said meanwhile is then read at once: to be woken costs as much as a dozen messages, and it
stops whoever runs. What is said after a silence finds the thread waiting, and is told at once.
"""

JOIN = 1.0
"""Seconds that `close` waits for the thread at the most."""


Answer: TypeAlias = Callable[[bytes], Sequence[tuple[Any, ...]]]
"""Takes what was said on a channel of questions, and returns the commands to send."""


class Audience(Protocol):
    """Who is told what is heard. Called by the listening thread."""

    def joined(self) -> None:
        """From now on, every change is told; what was changed before may have been missed."""

    def lost(self) -> None:
        """From now on, changes may be missed."""

    def heard(self, origin: str | None, keys: Iterable[str] | None) -> None:
        """These keys, or all if None, were changed by the node named, or by somebody unknown."""


class Listener:
    """One thread with one connection, which it makes anew when it is lost.

    Args:
        make: returns a connection that is not connected yet; called once for each attempt.
        subscription: returns the commands that begin the subscription; all must be
            acknowledged.
        audience: who is told.
        preparation: commands to send before it, whose refusal does not matter.
        connect: connects the connection.
        own: what messages begin with that tell this audience nothing; they are not even parsed.
        questions: a channel, and what returns the commands that answer what is said there; they
            are sent after all that was heard before has been told. A server that refuses the
            channel costs nothing but the questions, one that refuses an answer but that.
        heartbeat: seconds of silence after which the connection counts as lost. Each third of it
            the server is asked for its role: a replica is no place to listen.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        subscription: Callable[[], list[tuple[Any, ...]]],
        audience: Audience,
        *,
        preparation: Sequence[tuple[Any, ...]] = (),
        connect: Callable[[Any], None] = methodcaller("connect"),
        own: bytes | None = None,
        questions: tuple[str, Answer] | None = None,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._make = make
        self._connect = connect
        self._subscription = subscription
        self._audience = audience
        self._preparation = preparation
        # No message begins with any of none.
        self._own: bytes | tuple[bytes, ...] = own or ()
        self._questions = questions
        self._asked_on = questions[0].encode() if questions else None
        self._answers_due = 0
        self._heartbeat = heartbeat
        self._closed = threading.Event()
        self._restarting = False
        self._connection: Any = None
        self._line: Line  # of that connection
        self._pause = FIRST_PAUSE
        self._thread = threading.Thread(target=self._run, name="tiercache-listener", daemon=True)

    def start(self) -> None:
        """Start the thread; where none can be had, nothing is heard and memory is not trusted."""
        try:
            self._thread.start()
        except RuntimeError:
            logger.warning(
                "tiercache.backplane.failed: no thread can be started",
                extra={"event": "tiercache.backplane.failed"},
            )

    def restart(self) -> None:
        """Subscribe anew: where or what to listen to has changed."""
        if threading.current_thread() is self._thread:
            return  # it has found out by itself, while it was connecting
        self._restarting = True
        connection = self._connection
        sock = None if connection is None else connection._get_socket()
        if sock is not None:
            # Only wakes the thread, which owns the connection and takes it for lost.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the thread; wait for it, but not for long."""
        self._closed.set()
        self.restart()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except FAILURES as exc:
                logger.debug(
                    "tiercache.backplane.disconnected: %s",
                    exc,
                    extra={"event": "tiercache.backplane.disconnected"},
                )
            except Exception:
                # Whatever it was, a thread that is gone would leave memory untrusted for ever.
                logger.exception(
                    "tiercache.backplane.failed", extra={"event": "tiercache.backplane.failed"}
                )
            self._closed.wait(self._pause * jitter())
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Subscribe, and tell the audience what is heard until the connection is lost."""
        self._restarting = False
        connection = self._connection = self._make()
        try:
            self._connect(connection)
            self._line = line_of(connection)
            parser = connection._get_parser()
            parser.set_pubsub_push_handler(_as_it_is)
            parser.set_invalidation_push_handler(_as_it_is)
            self._subscribe(connection)
            self._audience.joined()
            try:
                self._pause = FIRST_PAUSE
                for said in self._early:
                    self._take(connection, said)
                self._hear_until_lost(connection)
            finally:
                self._audience.lost()
        finally:
            self._connection = None
            connection.disconnect()

    def _subscribe(self, connection: Any) -> None:
        """Subscribe; `_early` is then what was said before the audience knows of it."""
        self._early: list[Any] = []
        self._answers_due = 0
        _refuse_replica(_accepted(self._reply(connection, ROLE)))
        for command in self._preparation:
            self._reply(connection, command)
        for command in self._subscription():
            _accepted(self._reply(connection, command))
        if self._questions is not None:
            reply = self._reply(connection, ("SUBSCRIBE", self._questions[0]))
            if isinstance(reply, ResponseError):
                logger.debug(
                    "tiercache.questions.refused: %s",
                    reply,
                    extra={"event": "tiercache.questions.refused"},
                )

    def _reply(self, connection: Any, command: tuple[Any, ...]) -> Any:
        """Send a command and return its reply, a refusal as well."""
        patience = min(connection.socket_timeout or self._heartbeat, self._heartbeat)
        until = time.monotonic() + patience
        connection.send_command(*command, check_health=False)
        while (left := until - time.monotonic()) > 0:
            self._early += self._line.arrived(left) or ()
            # Nothing else has been asked, so there is one reply among what is told.
            for said in self._early:
                if not _is_told(said):
                    self._early.remove(said)
                    return said
        raise TimeoutError(f"no reply to {command[0]} for {patience} s")

    def _hear_until_lost(self, connection: Any) -> None:
        heard = asked = time.monotonic()
        rest = 0.0
        while not (self._closed.is_set() or self._restarting):
            now = time.monotonic()
            if now >= asked + self._heartbeat / 3:
                # However much is heard: a replica passes on what it is told of, as long as it is.
                connection.send_command(*ROLE, check_health=False)
                asked = now
            wait = min(asked + self._heartbeat / 3, heard + self._heartbeat) - now
            if self._hear(connection, max(wait, 0)):
                before, heard = heard, time.monotonic()
                rest = _rest_after(rest, heard - before)
                if rest:
                    time.sleep(rest)
            elif time.monotonic() >= heard + self._heartbeat:
                raise TimeoutError(f"silent for {self._heartbeat} s")

    def _hear(self, connection: Any, seconds: float) -> bool:
        """Take in what comes within so many seconds; tell whether anything has."""
        replies = self._line.arrived(seconds)
        for reply in replies or ():
            self._take(connection, reply)
        return replies is not None

    def _take(self, connection: Any, reply: Any) -> None:
        """Tell what was pushed; see to the replies, which are to the heartbeat or to answers."""
        if isinstance(reply, list):
            if reply[0] == b"message":
                if not reply[2].startswith(self._own):
                    self._tell(connection, reply[1], reply[2])
            elif reply[0] == b"invalidate":
                self._tell_invalidated(reply[1])
        elif isinstance(reply, dict):
            _refuse_replica(reply)
        else:
            self._see_answered(reply)

    def _tell(self, connection: Any, channel: bytes, data: bytes) -> None:
        if channel == self._asked_on:
            self._answer(connection, data)
            return
        message = parse(data)
        if message is None:
            self._audience.heard(None, None)
        else:
            self._audience.heard(message.origin, message.keys)

    def _tell_invalidated(self, names: list[bytes] | None) -> None:
        keys = None if names is None else [name.decode(errors="replace") for name in names]
        self._audience.heard(None, keys)

    def _see_answered(self, reply: Any) -> None:
        """Count the reply to an answer; a refusal of anything else ends the connection."""
        if isinstance(reply, ResponseError):
            if not self._answers_due:
                raise reply
            logger.debug(
                "tiercache.answer.refused: %s", reply, extra={"event": "tiercache.answer.refused"}
            )
        self._answers_due = max(self._answers_due - 1, 0)

    def _answer(self, connection: Any, data: bytes) -> None:
        assert self._questions is not None  # noqa: S101 - it was on their channel
        for command in self._questions[1](data):
            connection.send_command(*command, check_health=False)
            self._answers_due += 1


def _rest_after(rest: float, gap: float) -> float:
    """Return how long to rest, given the last rest and the time since something was heard."""
    if gap >= max(CLOSE, rest * 2):
        return 0.0
    return min(rest * 2, LONGEST_REST) or FIRST_REST


def _is_told(reply: Any) -> bool:
    return isinstance(reply, list) and reply[:1] in ([b"message"], [b"invalidate"])


def _accepted(reply: Any) -> Any:
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _refuse_replica(reply: Any) -> None:
    """Leave a replica: its data can be replaced without a word, and others write elsewhere."""
    if is_replica(reply):
        raise ConnectionError("the server is a replica")


def _as_it_is(reply: Any) -> Any:
    return reply
