"""The backplane: how a node hears of changes that others made, and what it trusts meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from . import notices, questions, scripts
from .deadline import bounded
from .flights import Traffic
from .keys import LEASE, TAG, literal_head
from .listener import Answer, Listener
from .memory import MemoryTier
from .messages import Post, channel
from .meter import Meter
from .primary import Primary


class Backplane:
    """One node's ear: its listening thread, and the rule that memory is trusted only with it.

    - Memory holds nothing from Redis before the first subscription is acknowledged, nor between
      its loss and the next acknowledgement, which drops everything.
    - What another node changed is dropped; this node's own messages tell it nothing new.

    Args:
        kind: "pubsub" (other nodes tell) or "tracking" (the server tells of every client).
        pool: redis-py's pool; the listener's connection is made like its, but not counted.
        node_id: this node's id.
        store: the store as logs call it.
        memory: what is kept in step.
        keep: tells which keys are this node's own to answer while Redis is away; their copies
            outlive a new subscription.
        namespaces: returns globs of the keys to listen for, none for all keys ("tracking").
        changed: called when `connected` has changed.
        traffic: what is under way, and who waits for a change.
        meter: where it is counted what is heard.
        echoed: called when a message about nothing comes back that this node has sent.
        scope: what the site's nodes on this store have in common.
        answer: returns the commands that answer an operator's question.

    Attributes:
        connected: whether every change is heard.
        since: when that has last changed, in seconds of `time.monotonic`.
        post: where and as whom this node tells of changes; None where the server does.
        asked_on: the channel on which operators ask the store's nodes.
    """

    def __init__(
        self,
        *,
        kind: str,
        pool: Any,
        node_id: str,
        store: str,
        memory: MemoryTier,
        keep: Callable[[str], bool],
        namespaces: Callable[[], Iterable[str]],
        changed: Callable[[], None],
        traffic: Traffic,
        meter: Meter,
        echoed: Callable[[], None],
        scope: str,
        answer: Answer,
    ) -> None:
        self.connected = False
        self.since = time.monotonic()
        self._closed = False
        database = int(pool.connection_kwargs.get("db") or 0)
        self._channel = channel(database)
        self.asked_on = questions.channel(database, scope)
        self.post = Post(self._channel, node_id) if kind == "pubsub" else None
        self._pool = pool
        self._node_id = node_id
        self._store = store
        self._memory = memory
        self._keep = keep
        self._namespaces = namespaces
        self._changed = changed
        self._traffic = traffic
        self._meter = meter
        self._echoed = echoed
        memory.pause()
        self._primary = Primary.of(pool)
        self._listener = Listener(
            self._make_connection,
            self._subscription,
            self,
            preparation=scripts.load_all(),
            connect=self._primary.connect,
            own=self.post.own if self.post else None,
            questions=(self.asked_on, answer),
        )
        sentinels = self._primary.sentinels
        self._watch = sentinels.watch(self._primary.look) if sentinels else None

    def start(self) -> None:
        """Start listening."""
        self._primary.tell(self._listener.restart)
        self._listener.start()
        if self._watch is not None:
            self._watch.start()

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._primary.tell_no_more(self._listener.restart)
        self._listener.close()
        if self._watch is not None:
            self._watch.close()

    def doubt(self) -> None:
        """Subscribe anew: the connection may have fallen silent, and nothing has told.

        When this returns, memory is not trusted until the new subscription is acknowledged.
        """
        self._distrust()
        self._listener.restart()

    def namespaces_changed(self) -> None:
        """Listen for another cache's keys as well."""
        if self.post is None:
            self._listener.restart()

    # What the listener tells, on its thread

    def joined(self) -> None:
        """Trust memory from now on, with nothing of before in it."""
        # Another server may be listened to now than the one that is asked: memory is filled over
        # no connection older than the subscription.
        self._primary.renew()
        self._memory.resume(self._keep)
        self._meter.joins += 1
        self.connected = True
        self.since = time.monotonic()
        self._changed()
        self._traffic.bells.ring(None)
        self._tell("joined")

    def lost(self) -> None:
        """Trust memory no more: changes may be missed."""
        self._distrust()
        if not self._closed:
            self._tell("lost")

    def _tell(self, state: str) -> None:
        notices.backplane_changed(Backplane, self._store, state)

    def _distrust(self) -> None:
        if self.connected:
            self.since = time.monotonic()
        self.connected = False
        self._memory.pause()
        self._changed()
        self._traffic.bells.ring(None)

    def heard(self, origin: str | None, keys: Iterable[str] | None) -> None:
        """Drop what somebody else changed."""
        if origin == self._node_id:
            if not keys and keys is not None:
                self._echoed()
            return
        if keys is None:
            self._meter.messages += 1
            self._memory.invalidate_where(lambda key: not self._keep(key))
            self._traffic.changed(None)
            return
        keys = list(keys)
        named = len(keys)
        self._meter.messages += named > 0
        self._meter.invalidated += named
        if named == 1:
            # Nearly always, and on every node: so it is worth a way of its own.
            self._memory.invalidate(keys[0])
        else:
            self._memory.invalidate_many(keys)
        if any(TAG in key for key in keys):
            # What was computed before an eviction is not for those who ask after it.
            self._traffic.loads.seal()
        # The server tells of leases as of everything else; nodes tell of what they are for.
        self._traffic.changed([key.removesuffix(LEASE) for key in keys])

    # How it listens

    def _make_connection(self) -> Any:
        """Make a connection like the pool's; only RESP 3 carries messages between replies."""
        kwargs = {**self._pool.connection_kwargs, "protocol": 3}
        connection: Any = bounded(self._pool.connection_class)(**kwargs)
        connection.retry = Retry(NoBackoff(), 0)
        return connection

    def _subscription(self) -> list[tuple[Any, ...]]:
        if self.post is not None:
            return [("SUBSCRIBE", self._channel)]
        prefixes = [word for head in self._heads() for word in ("PREFIX", head)]
        return [("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)]

    def _heads(self) -> list[str]:
        """What the namespaces begin with; Redis refuses one that begins with another."""
        heads: list[str] = []
        for head in sorted(map(literal_head, self._namespaces())):
            if not any(head.startswith(shorter) for shorter in heads):
                heads.append(head)
        return heads
