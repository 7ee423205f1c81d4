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
from .messages import parse
from .role import ROLE, is_replica
from .trouble import FAILURES

logger = logging.getLogger("tiercache")

HEARTBEAT = 5.0
"""Seconds of silence after which the connection counts as lost."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
"""Seconds between attempts to connect, at first and at the most."""

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
        questions: tuple[str, Answer] | None = None,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._make = make
        self._connect = connect
        self._subscription = subscription
        self._audience = audience
        self._preparation = preparation
        self._questions = questions
        self._answers_due = 0
        self._heartbeat = heartbeat
        self._closed = threading.Event()
        self._restarting = False
        self._connection: Any = None
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
            parser = connection._get_parser()
            parser.set_pubsub_push_handler(_as_it_is)
            parser.set_invalidation_push_handler(_as_it_is)
            early = self._subscribe(connection)
            self._audience.joined()
            try:
                self._pause = FIRST_PAUSE
                for reply in early:
                    self._tell(connection, reply)
                self._hear_until_lost(connection)
            finally:
                self._audience.lost()
        finally:
            self._connection = None
            connection.disconnect()

    def _subscribe(self, connection: Any) -> list[Any]:
        """Subscribe; return what was said before all of it was acknowledged."""
        connection.send_command(*ROLE, check_health=False)
        _refuse_replica(self._read(connection))
        for command in self._preparation:
            connection.send_command(*command, check_health=False)
            with suppress(ResponseError):
                self._read(connection, disconnect_on_error=False)
        early: list[Any] = []
        for command in self._subscription():
            connection.send_command(*command, check_health=False)
            early += self._said_before_reply(connection)
        self._answers_due = 0
        if self._questions is not None:
            connection.send_command("SUBSCRIBE", self._questions[0], check_health=False)
            try:
                early += self._said_before_reply(connection)
            except ResponseError as exc:
                logger.debug(
                    "tiercache.questions.refused: %s",
                    exc,
                    extra={"event": "tiercache.questions.refused"},
                )
        return early

    def _said_before_reply(self, connection: Any) -> list[Any]:
        """Read up to the reply to what was sent; return what was pushed before it."""
        said: list[Any] = []
        while _is_told(reply := self._read(connection, disconnect_on_error=False)):
            said.append(reply)
        return said

    def _hear_until_lost(self, connection: Any) -> None:
        heard = asked = time.monotonic()
        while not (self._closed.is_set() or self._restarting):
            now = time.monotonic()
            if now >= asked + self._heartbeat / 3:
                # However much is heard: a replica passes on what it is told of, as long as it is.
                connection.send_command(*ROLE, check_health=False)
                asked = now
            wait = min(asked + self._heartbeat / 3, heard + self._heartbeat) - now
            if connection.can_read(max(wait, 0)):
                self._hear(connection)
                heard = time.monotonic()
            elif time.monotonic() >= heard + self._heartbeat:
                raise TimeoutError(f"silent for {self._heartbeat} s")

    def _hear(self, connection: Any) -> None:
        try:
            reply = self._read(connection)
        except ResponseError as exc:
            if not self._answers_due:
                raise
            logger.debug(
                "tiercache.answer.refused: %s", exc, extra={"event": "tiercache.answer.refused"}
            )
            reply = None
        if not isinstance(reply, dict | list):
            # The reply to an answer; all else comes as a mapping, or is pushed.
            self._answers_due = max(self._answers_due - 1, 0)
        self._tell(connection, reply)

    @staticmethod
    def _read(connection: Any, **options: Any) -> Any:
        return connection.read_response(push_request=True, **options)

    def _tell(self, connection: Any, reply: Any) -> None:
        if isinstance(reply, dict):
            _refuse_replica(reply)
        if not isinstance(reply, list):
            return
        kind, *rest = reply
        if kind == b"message" and self._is_question(rest[0]):
            self._answer(connection, rest[-1])
        elif kind == b"message":
            message = parse(rest[-1])
            if message is None:
                self._audience.heard(None, None)
            else:
                self._audience.heard(message.origin, message.keys)
        elif kind == b"invalidate":
            (names,) = rest
            keys = None if names is None else [name.decode(errors="replace") for name in names]
            self._audience.heard(None, keys)

    def _is_question(self, channel: bytes) -> bool:
        return self._questions is not None and channel == self._questions[0].encode()

    def _answer(self, connection: Any, data: bytes) -> None:
        assert self._questions is not None  # noqa: S101 - `_is_question` has seen it
        for command in self._questions[1](data):
            connection.send_command(*command, check_health=False)
            self._answers_due += 1


def _is_told(reply: Any) -> bool:
    return isinstance(reply, list) and reply[:1] in ([b"message"], [b"invalidate"])


def _refuse_replica(reply: Any) -> None:
    """Leave a replica: its data can be replaced without a word, and others write elsewhere."""
    if is_replica(reply):
        raise ConnectionError("the server is a replica")


def _as_it_is(reply: Any) -> Any:
    return reply
