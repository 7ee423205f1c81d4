"""Where redis-py's and the socket's errors become ours."""

from __future__ import annotations

import redis.exceptions as errors
from redis.sentinel import MasterNotFoundError

from .exceptions import RedisAway

FAILURES = (errors.RedisError, errors.ChildDeadlockedError, OSError, TimeoutError)
"""What redis-py and the sockets under it raise."""

# The first that fits counts, so the special come before the general.
_BY_TYPE: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "timeout"),
    (errors.TimeoutError, "timeout"),
    (errors.MaxConnectionsError, "connections"),
    (errors.BusyLoadingError, "loading"),
    (errors.AuthenticationError, "auth"),
    (errors.AuthorizationError, "auth"),
    (errors.AuthenticationWrongNumberOfArgsError, "auth"),
    (errors.NoPermissionError, "auth"),
    (errors.ExternalAuthProviderError, "auth"),
    (errors.ReadOnlyError, "readonly"),
    (errors.OutOfMemoryError, "full"),
    (errors.ClusterDownError, "down"),
    (errors.TryAgainError, "down"),
    (MasterNotFoundError, "down"),
    (errors.InvalidResponse, "closed"),
    (errors.ChildDeadlockedError, "connections"),
)

_BY_CODE = {
    "MISCONF": "unwritable",
    "NOREPLICAS": "unwritable",
    "BUSY": "busy",
    "UNBLOCKED": "closed",
}

_NO_RIGHTS = (
    "ACL failure in script",  # Redis 7 and Valkey
    "The user executing the script can't",  # Redis 6
    "discarded because of: NOPERM",
)
"""What is said where the user may not use a command in a script, or EXEC; the code in front is that
of any error."""


def away(exc: BaseException, *, connected: bool) -> RedisAway | None:
    """Say what an error means for the Redis tier, None if it is no outage but a wrong command.

    Args:
        exc: one of `FAILURES`.
        connected: whether the connection had been made when it was raised.
    """
    if isinstance(exc.__context__, errors.ReadOnlyError):
        # redis-py's connections to a Sentinel's primary call a replica's refusal a lost connection.
        return RedisAway("readonly", str(exc))
    for kind_of_error, kind in _BY_TYPE:
        if isinstance(exc, kind_of_error):
            return RedisAway(kind, str(exc))
    if isinstance(exc, errors.ResponseError):
        said = str(exc)
        if any(text in said for text in _NO_RIGHTS):
            return RedisAway("auth", said)
        code = said.partition(" ")[0]
        return RedisAway(_BY_CODE[code], said) if code in _BY_CODE else None
    if isinstance(exc, errors.ConnectionError | OSError):
        return RedisAway("closed" if connected else "refused", str(exc))
    return None


def code_of(exc: BaseException) -> str:
    """Return what a server's refusal began with ("WRONGTYPE"); "" if it is none."""
    refusal = exc.__cause__ if isinstance(exc, RedisAway) else exc
    if not isinstance(refusal, errors.RedisError):
        return ""
    if refusal.status_code:
        return str(refusal.status_code)
    # redis-py takes off the codes that it knows, and only those.
    named = isinstance(refusal, errors.ResponseError) and str(refusal).partition(" ")[0]
    return named if named and named.isupper() else ""
