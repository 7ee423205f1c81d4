"""Two nodes on one server, and an ear on the channel between them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.support.caches import settings_for
from tests.support.waiting import eventually
from tiercache.messages import channel

if TYPE_CHECKING:
    from tests.support.servers import Valkey

SOON = 1.0
"""Seconds within which a change must have reached another node, however busy the machine is."""

END = "end-of-what-was-said"


def pair_settings(url: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Return two aliases with the same keys that are two nodes, as their value formats differ."""
    conf = settings_for("tiered", url)
    return {
        "default": {**conf, "OPTIONS": {**options, "PICKLE_VERSION": 5}},
        "other": {**conf, "OPTIONS": {**options, "PICKLE_VERSION": 4}},
    }


def in_memory(cache: Any, key: str, version: int | None = None) -> bool:
    """Tell whether a node holds a fresh copy."""
    return cache._node.memory.fresh(cache.make_key(key, version)) is not None


def caught_up(cache: Any) -> None:
    """Wait until a node has heard all that was said so far: messages keep their order."""
    node, full = cache._node, cache.make_key("caught-up")
    node.memory.put(full, node.codec.pack(1).copy, time.monotonic() + 60)
    client, post = cache.client.get_client(), node._backplane.post
    if post is None:
        client.set(full, 1)
    else:
        client.publish(post.channel, json.dumps(["somebody", [full]]))
    dropped(cache, "caught-up")


def hold(cache: Any, *keys: str) -> None:
    """Make a node hold copies that nothing said so far will drop."""
    caught_up(cache)
    for key in keys:
        cache.get(key)
        assert in_memory(cache, key)


def dropped(cache: Any, key: str, version: int | None = None) -> None:
    """Wait until a node's copy is gone."""
    eventually(lambda: not in_memory(cache, key, version), within=SOON)


def settled(*caches: Any) -> None:
    """Wait until each trusts Redis again and hears every change."""
    for cache in caches:
        eventually(
            lambda cache=cache: (cache.stats().state, cache.stats().backplane) == ("up", "joined"),
            within=10,
        )


class Ear:
    """Hears what nodes on one database tell each other."""

    def __init__(self, server: Valkey, database: int = 0) -> None:
        self._client = server.client
        self._pubsub = self._client.pubsub()
        self._pubsub.subscribe(channel(database), END)
        for _ in range(2):
            assert self._pubsub.get_message(timeout=SOON)["type"] == "subscribe"

    def heard(self) -> list[tuple[str, list[str] | None]]:
        """Return the messages since the last call: who said it, and the keys (None: all)."""
        self._client.publish(END, "")
        messages = []
        while True:
            message = self._pubsub.get_message(timeout=SOON)
            assert message is not None, "the server says nothing"
            if message["channel"] == END.encode():
                return messages
            origin, keys = json.loads(message["data"])
            messages.append((origin, keys))

    def close(self) -> None:
        self._pubsub.close()
