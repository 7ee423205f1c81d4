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
from typing import Any, Protocol

from redis.exceptions import ResponseError

from .breaker import jitter
from .messages import parse
from .trouble import FAILURES

logger = logging.getLogger("tiercache")

HEARTBEAT = 5.0
"""Seconds of silence after which the connection counts as lost."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
"""Seconds between attempts to connect, at first and at the most."""

JOIN = 1.0
"""Seconds that `close` waits for the thread at the most."""


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
        connect: returns a connection that is not connected yet; called once for each attempt.
        subscription: returns the commands that begin the subscription; all must be
            acknowledged.
        preparation: commands to send before it, whose refusal does not matter.
        audience: who is told.
        heartbeat: seconds of silence after which the connection counts as lost; a PING is sent
            after a third of it.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        subscription: Callable[[], list[tuple[Any, ...]]],
        audience: Audience,
        *,
        preparation: Sequence[tuple[Any, ...]] = (),
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._connect = connect
        self._subscription = subscription
        self._audience = audience
        self._preparation = preparation
        self._heartbeat = heartbeat
        self._closed = threading.Event()
        self._connection: Any = None
        self._pause = FIRST_PAUSE
        self._thread = threading.Thread(target=self._run, name="tiercache-listener", daemon=True)

    def start(self) -> None:
        """Start the thread; where none can be had, nothing is heard and memory is not trusted."""
        try:
            self._thread.start()
        except RuntimeError:
            logger.warning("tiercache.backplane.failed: no thread can be started")

    def restart(self) -> None:
        """Subscribe anew: what is to be listened to has changed."""
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
                logger.debug("tiercache.backplane.disconnected: %s", exc)
            except Exception:
                # Whatever it was, a thread that is gone would leave memory untrusted for ever.
                logger.exception("tiercache.backplane.failed")
            self._closed.wait(self._pause * jitter())
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Subscribe, and tell the audience what is heard until the connection is lost."""
        connection = self._connection = self._connect()
        try:
            connection.connect()
            parser = connection._get_parser()
            parser.set_pubsub_push_handler(_as_it_is)
            parser.set_invalidation_push_handler(_as_it_is)
            self._subscribe(connection)
            self._audience.joined()
            try:
                self._pause = FIRST_PAUSE
                self._hear_until_lost(connection)
            finally:
                self._audience.lost()
        finally:
            self._connection = None
            connection.disconnect()

    def _subscribe(self, connection: Any) -> None:
        for command in self._preparation:
            connection.send_command(*command, check_health=False)
            with suppress(ResponseError):
                self._read(connection, disconnect_on_error=False)
        for command in self._subscription():
            connection.send_command(*command, check_health=False)
            self._read(connection)

    def _hear_until_lost(self, connection: Any) -> None:
        last = time.monotonic()
        asked = False
        while not self._closed.is_set():
            wait = self._heartbeat if asked else self._heartbeat / 3
            if connection.can_read(max(last + wait - time.monotonic(), 0)):
                self._tell(self._read(connection))
                last, asked = time.monotonic(), False
            elif asked:
                raise TimeoutError(f"silent for {self._heartbeat} s")
            else:
                connection.send_command("PING", check_health=False)
                asked = True

    @staticmethod
    def _read(connection: Any, **options: Any) -> Any:
        return connection.read_response(push_request=True, **options)

    def _tell(self, reply: Any) -> None:
        if not isinstance(reply, list):
            return
        kind, *rest = reply
        if kind == b"message":
            message = parse(rest[-1])
            if message is None:
                self._audience.heard(None, None)
            else:
                self._audience.heard(message.origin, message.keys)
        elif kind == b"invalidate":
            (names,) = rest
            keys = None if names is None else [name.decode(errors="replace") for name in names]
            self._audience.heard(None, keys)


def _as_it_is(reply: Any) -> Any:
    return reply
