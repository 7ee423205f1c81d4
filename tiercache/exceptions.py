"""What can go wrong, named by what happened."""

from __future__ import annotations


class TierCacheError(Exception):
    """The base of every error that tiercache raises of its own."""


class RedisAway(TierCacheError):
    """The Redis tier gave no answer, or refused to serve.

    Callers see it only with `"FALLBACK": "raise"`; otherwise the memory tier answers instead.
    The error that redis-py raised is its `__cause__`, where there was one.

    Attributes:
        kind: what happened, one of `KINDS`.
    """

    KINDS = (
        "refused",  # nobody listens, or the name does not resolve
        "timeout",  # no answer within the time budget
        "closed",  # the connection was lost before the answer came
        "auth",  # the password or the user's rights were refused
        "connections",  # the pool has no connection left
        "loading",  # the server reads its data set
        "readonly",  # the server is a replica
        "full",  # out of memory, and not allowed to evict
        "unwritable",  # the server refuses writes until a save or a replica succeeds
        "down",  # the cluster or its primary is down
        "busy",  # a script blocks the server
        "open",  # not asked: the breaker is open
        "alone",  # not asked: this cache has no Redis tier
    )
    WRITES_ONLY = frozenset({"readonly", "full", "unwritable"})
    CERTAIN = frozenset({"refused", "timeout", "auth", "loading", "down"})

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message or f"Redis is away ({kind})")
        self.kind = kind

    @property
    def reads_too(self) -> bool:
        """Whether it says anything about reads: a server that refuses writes may serve them."""
        return self.kind not in self.WRITES_ONLY

    @property
    def certain(self) -> bool:
        """Whether one such failure is proof enough, as a lost connection is not."""
        return self.kind in self.CERTAIN


class Undecodable(TierCacheError):
    """Bytes in Redis that this cache's compressor and serializer cannot read."""


class NeedsRedis(TierCacheError):
    """A call that has no meaning without a Redis tier (locks, sets, hashes, sorted sets)."""


class CannotEnumerate(TierCacheError):
    """The `KEY_FUNCTION` leaves no pattern by which this cache's keys could be told apart."""


class LoadTimeout(TierCacheError, TimeoutError):
    """A value was not loaded within the caller's `budget`; the load goes on."""


class RequestEnded(TierCacheError):
    """A view asked its request, in a background refresh, for what ended with the request."""


class RefreshFailed(TierCacheError):
    """A page was not loaded anew in the background; the stale one stays."""
