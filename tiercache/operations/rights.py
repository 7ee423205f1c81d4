"""Which commands a Redis user may use: asked of the server, or tried where nothing can happen."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from tiercache import scripts
from tiercache.keys import lease_of
from tiercache.messages import Post, channel
from tiercache.steps import Ask, Flow

from .looking import connecting, is_refusal, named

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

NEEDED: Final = "needed"
"""Without it the cache does not work, or not in step with the other nodes."""

LOOKING: Final = "looking"
"""Without it operators see less."""


def denied(cache: TieredCache) -> Flow[dict[str, str]]:
    """Return the commands that this user may not use, each with what it is for.

    Tried on a key of this cache that is not there, with arguments that change nothing: what the
    server refuses for another reason than rights, it would have carried out.
    """
    key = cache.make_key(f"tiercache-doctor-{secrets.token_hex(8)}")
    tries = [*_tries(key), *_telling(cache, key)]
    replies = yield Ask(tuple(command for command, _ in tries))
    return {
        named(command): purpose
        for (command, purpose), reply in zip(tries, replies, strict=True)
        if is_refusal(reply)
    }


def _telling(cache: TieredCache, key: str) -> list[tuple[tuple[Any, ...], str]]:
    """Return what nodes tell and hear of changes with: here of one to the key that is not there."""
    kind = cache._node.options.backplane
    if kind == "none":
        return []
    if kind == "tracking":
        return [(("CLIENT", "TRACKING", "OFF"), NEEDED)]
    post = Post(channel(int(connecting(cache).get("db") or 0)), cache._node.id)
    return [(("PUBLISH", *post.of((key,))), NEEDED)]


def _tries(key: str) -> list[tuple[tuple[Any, ...], str]]:
    needed: list[tuple[Any, ...]] = [
        ("MGET", key),
        ("PTTL", key),
        ("GET", key),
        ("GETRANGE", key, 0, 0),
        ("EXISTS", key),
        ("SET", key, "", "XX"),
        ("UNLINK", key),
        ("DEL", key),
        ("PEXPIRE", key, 1),
        ("PERSIST", key),
        ("RENAME", key, key),
        ("INCRBY", key, "nothing"),
        ("SCAN", 0, "COUNT", 1),
        ("TIME",),
        ("EVAL", "return 1", 0),
        # Of a lease that nobody has: the script that gives one back finds nothing to give back.
        scripts.run(scripts.RELEASE, (key, lease_of(key)), "", "", "nobody's", 0, 0),
        ("SCRIPT", "LOAD", "return 1"),
    ]
    looking: list[tuple[Any, ...]] = [
        ("INFO", "server"),
        ("DBSIZE",),
        ("TYPE", key),
        ("STRLEN", key),
        ("MEMORY", "USAGE", key),
        ("OBJECT", "ENCODING", key),
        ("CLIENT", "NO-TOUCH", "OFF"),
        ("CONFIG", "GET", "timeout"),
    ]
    return [(one, NEEDED) for one in needed] + [(one, LOOKING) for one in looking]
