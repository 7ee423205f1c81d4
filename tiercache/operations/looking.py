"""Looking into Redis without a trace: what is refused is told, and nothing is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.conf import settings
from redis.exceptions import NoPermissionError, ResponseError

from tiercache.steps import Ask, Flow
from tiercache.trouble import away

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

LIMIT: Final = 0.9
"""Seconds that all of one look may wait for Redis at the most."""

NO_TOUCH: Final = "CLIENT NO-TOUCH"

_ON: Final = ("CLIENT", "NO-TOUCH", "ON")
_OFF: Final = ("CLIENT", "NO-TOUCH", "OFF")
_UNKNOWN: Final = ("unknown command", "unknown subcommand")

_T = TypeVar("_T")


def look(cache: TieredCache, flow: Flow[_T], limit: float = LIMIT) -> _T:
    """Drive a look to its end; it spends `limit` seconds on Redis at the most.

    Raises:
        RedisAway: Redis did not answer, and the flow has no answer for that.
    """
    return cache._node.run(flow, limit)


def options_of(cache: TieredCache) -> Mapping[str, Any]:
    """Return the cache's OPTIONS as its settings say them; none where they do not have it."""
    return settings.CACHES.get(cache._binding.alias or "", {}).get("OPTIONS") or {}


def connecting(cache: TieredCache) -> Mapping[str, Any]:
    """Return what connections to the cache's server are made with; it has secrets in it."""
    pool = cache.client.get_client(write=True).connection_pool
    arguments: Mapping[str, Any] = pool.connection_kwargs
    return arguments


class Look:
    """What one user may ask of one server, found out while it is asked.

    Attributes:
        missing: the commands that were refused or are unknown, in the order of finding out.
        untouched: whether values can be read so that their keys' idle time stays.
    """

    def __init__(self) -> None:
        self._missing: dict[str, None] = {}
        self.untouched = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The commands that were refused or are unknown."""
        return tuple(self._missing)

    def ask(self, *commands: tuple[Any, ...]) -> Flow[list[Any]]:
        """Send commands at once; a reply is None where Redis refused its command.

        Raises:
            RedisAway: Redis does not serve now, as one that runs a script for long says.
        """
        if not commands:
            return []
        replies = yield Ask(commands)
        return [
            self._told(command, reply) for command, reply in zip(commands, replies, strict=True)
        ]

    def begin(self, *commands: tuple[Any, ...]) -> Flow[list[Any]]:
        """Do as `ask`, and find out whether values can be read untouched."""
        *replies, on, off = yield from self.ask(*commands, _ON, _OFF)
        self.untouched = on is not None and off is not None
        return replies

    def read(self, commands: Sequence[tuple[Any, ...]]) -> Flow[list[Any]]:
        """Send commands that read values, for which Redis does not count their keys as used.

        Where it cannot do that, nothing is sent and each reply is None.
        """
        if not (self.untouched and commands):
            return [None] * len(commands)
        _, *replies, _ = yield from self.ask(_ON, *commands, _OFF)
        return replies

    def _told(self, command: tuple[Any, ...], reply: Any) -> Any:
        if not isinstance(reply, ResponseError):
            return reply
        if is_refusal(reply):
            self._missing[named(command)] = None
        elif trouble := away(reply, connected=True):
            raise trouble from reply
        return None


def is_refusal(reply: object) -> bool:
    """Tell whether a reply says that this user may not, or that the server cannot."""
    text = str(reply).lower()
    return isinstance(reply, NoPermissionError) or (
        isinstance(reply, ResponseError)
        and (text.startswith("noperm") or any(word in text for word in _UNKNOWN))
    )


def named(command: tuple[Any, ...]) -> str:
    """Return a command's name as Redis's documentation writes it."""
    with_subcommand = command[0] in ("ACL", "CLIENT", "CONFIG", "MEMORY", "OBJECT", "SCRIPT")
    return " ".join(map(str, command[: 2 if with_subcommand else 1]))


def seconds(milliseconds: object) -> float | None:
    """Return what PTTL says as seconds; None for ever."""
    return milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds >= 0 else None


def number(reply: object) -> int | None:
    """Return a reply that is a number, as one."""
    return reply if isinstance(reply, int) else None
