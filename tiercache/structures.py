"""django-redis's data-structure calls: sets, hashes and sorted sets.

They live in Redis alone; what changes a key drops its copy in memory. While Redis is away they
answer as if nothing were there, or raise with `"FALLBACK": "raise"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .exceptions import NeedsRedis


def _nothing() -> None:
    return None


def _call(
    name: str, *, writes: bool, empty: Callable[[], Any], keys: int | None = 1
) -> Callable[..., Any]:
    """Make a method that runs django-redis's call of this name.

    Args:
        name: the call.
        writes: whether it changes anything.
        empty: makes the answer while Redis is away.
        keys: how many of the first arguments are keys, None for all.
    """

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._binding.client is None:
            raise NeedsRedis(
                f"{name}() needs a Redis tier; cache {self._binding.alias!r} is the memory tier "
                f"alone (LOCATION is empty)"
            )
        client = self.client
        names = [kwargs[word] for word in _KEY_WORDS if word in kwargs] or args[:keys]
        version = kwargs.get("version", kwargs.get("version_dest"))
        full = tuple(self.make_and_validate_key(key, version) for key in names)

        def function(connection: Any) -> Any:
            answer = getattr(client, name)(*args, **kwargs, client=connection)
            # A generator would ask Redis after the connection has been given back.
            return iter(list(answer)) if name.endswith("_iter") else answer

        function.__name__ = name
        return self._run(self._flows.call(function, full, writes=writes, empty=empty()))

    method.__name__ = name
    method.__doc__ = f"Do as django-redis's `{name}`."
    return method


_KEY_WORDS = ("key", "source", "destination", "dest")


class Structures:
    """The calls, as a part of `TieredCache`."""

    sadd = _call("sadd", writes=True, empty=int)
    scard = _call("scard", writes=False, empty=int)
    sdiff = _call("sdiff", writes=False, empty=set, keys=None)
    sdiffstore = _call("sdiffstore", writes=True, empty=int)
    sinter = _call("sinter", writes=False, empty=set, keys=None)
    sinterstore = _call("sinterstore", writes=True, empty=int)
    sismember = _call("sismember", writes=False, empty=bool)
    smembers = _call("smembers", writes=False, empty=set)
    smismember = _call("smismember", writes=False, empty=list)
    smove = _call("smove", writes=True, empty=bool, keys=2)
    spop = _call("spop", writes=True, empty=_nothing)
    srandmember = _call("srandmember", writes=False, empty=_nothing)
    srem = _call("srem", writes=True, empty=int)
    sscan = _call("sscan", writes=False, empty=set)
    sscan_iter = _call("sscan_iter", writes=False, empty=lambda: iter(()))
    sunion = _call("sunion", writes=False, empty=set, keys=None)
    sunionstore = _call("sunionstore", writes=True, empty=int)

    hset = _call("hset", writes=True, empty=int)
    hdel = _call("hdel", writes=True, empty=int)
    hlen = _call("hlen", writes=False, empty=int)
    hkeys = _call("hkeys", writes=False, empty=list)
    hexists = _call("hexists", writes=False, empty=bool)

    zadd = _call("zadd", writes=True, empty=int)
    zcard = _call("zcard", writes=False, empty=int)
    zcount = _call("zcount", writes=False, empty=int)
    zincrby = _call("zincrby", writes=True, empty=float)
    zpopmax = _call("zpopmax", writes=True, empty=list)
    zpopmin = _call("zpopmin", writes=True, empty=list)
    zrange = _call("zrange", writes=False, empty=list)
    zrangebyscore = _call("zrangebyscore", writes=False, empty=list)
    zrank = _call("zrank", writes=False, empty=_nothing)
    zrem = _call("zrem", writes=True, empty=int)
    zremrangebyscore = _call("zremrangebyscore", writes=True, empty=int)
    zrevrange = _call("zrevrange", writes=False, empty=list)
    zrevrangebyscore = _call("zrevrangebyscore", writes=False, empty=list)
    zscore = _call("zscore", writes=False, empty=_nothing)
