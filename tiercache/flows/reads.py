"""The operations that change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import sources
from ..entry import MISSING
from ..exceptions import RedisAway
from ..steps import Exists, Flow, Left, Read, Scan
from .common import SCAN_COUNT, Tiers


class Reads(Tiers):
    """The operations that change nothing, but for the copies that memory keeps."""

    def get(self, key: str) -> Flow[Any]:
        """Look a value up in Redis and keep a copy; `MISSING` if it is not there."""
        ticket, asked = self._memory.ticket(key), self._clock()
        try:
            (found,) = yield Read((key,))
        except RedisAway as away:
            value = self._alone(away).get(key)
            self._count("miss" if value is MISSING else "memory")
            return value
        value = self._fill(key, found, ticket, asked)
        self._count("miss" if value is MISSING else "redis")
        return value

    def get_many(self, keys: tuple[str, ...]) -> Flow[dict[str, Any]]:
        """Look values up in Redis, all in one step, and keep copies."""
        asked = self._clock()
        tickets = [self._memory.ticket(key) for key in keys]
        try:
            answers = yield Read(keys)
        except RedisAway as away:
            local = self._alone(away)
            values = {key: local.get(key) for key in keys}
            tier: sources.Tier = "memory"
        else:
            values = {
                key: self._fill(key, found, ticket, asked)
                for key, found, ticket in zip(keys, answers, tickets, strict=True)
            }
            tier = "redis"
        there = {key: value for key, value in values.items() if value is not MISSING}
        self._count(tier, len(there))
        self._count("miss", len(values) - len(there))
        return there

    def has(self, key: str) -> Flow[bool]:
        """Tell whether there is anything under the key."""
        try:
            there: bool = yield Exists((key,))
        except RedisAway as away:
            return self._alone(away).has(key)
        return there

    def left(self, key: str) -> Flow[int | None]:
        """Tell what is left of an entry's time in milliseconds, `FOREVER`, None: not there."""
        try:
            left: int | None = yield Left((key,))
        except RedisAway as away:
            return self._alone(away).left(key)
        return left

    def scan(
        self, cursor: int, pattern: str, match: Callable[[str], bool], count: int = SCAN_COUNT
    ) -> Flow[tuple[int, list[str]]]:
        """Take one step of a walk: the next cursor, 0 at the end, and the keys found on it."""
        try:
            cursor, keys = yield Scan(cursor, pattern, count)
        except RedisAway as away:
            return 0, self._alone(away).keys(match)
        return cursor, [key for key in keys if match(key)]
