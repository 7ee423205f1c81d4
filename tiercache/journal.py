"""Which keys were changed while Redis did not hear of it."""

from __future__ import annotations

from collections.abc import Iterable

MOST_KEYS = 10_000
MOST_PATTERNS = 100


class Journal:
    """The keys and patterns that have to be removed from Redis before it is trusted again.

    Bounded: past `MOST_KEYS` keys or `MOST_PATTERNS` patterns, everything that the caches of
    this store could have written (their `namespaces`) counts as changed.
    Not thread-safe by itself; its owner changes it under a lock. `in` needs none.

    Attributes:
        namespaces: glob patterns of the full keys of every cache on this store.
        overflowed: whether single keys are no longer told apart.
    """

    def __init__(self, *, most_keys: int = MOST_KEYS) -> None:
        self.namespaces: set[str] = set()
        self.overflowed = False
        self._most_keys = most_keys
        self._keys: dict[str, None] = {}
        self._patterns: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        """Whether Redis's answer for the key must not be believed."""
        return self.overflowed or key in self._keys or bool(self._patterns)

    def __bool__(self) -> bool:
        return bool(self._keys or self._patterns)

    def __len__(self) -> int:
        return len(self._keys)

    def note(self, keys: Iterable[str], pattern: str | None = None) -> None:
        """Remember that these keys, or all that fit a pattern, were or may have been changed."""
        if self.overflowed:
            self._patterns.update(dict.fromkeys(self.namespaces))
            return
        if pattern is None:
            self._keys.update(dict.fromkeys(keys))
        else:
            self._patterns[pattern] = None
        if len(self._keys) > self._most_keys or len(self._patterns) > MOST_PATTERNS:
            self._overflow()

    def some_keys(self, most: int) -> tuple[str, ...]:
        """Return up to `most` keys, the oldest first."""
        return tuple(key for key, _ in zip(self._keys, range(most), strict=False))

    def a_pattern(self) -> str | None:
        """Return a pattern, or None."""
        return next(iter(self._patterns), None)

    def forget(self, keys: Iterable[str] = (), pattern: str | None = None) -> None:
        """Take out what has been made good in Redis."""
        for key in keys:
            self._keys.pop(key, None)
        if pattern is not None:
            self._patterns.pop(pattern, None)

    def reset(self) -> None:
        """Forget everything but the namespaces: all is made good."""
        self._keys.clear()
        self._patterns.clear()
        self.overflowed = False

    def _overflow(self) -> None:
        self.overflowed = True
        self._keys.clear()
        self._patterns = dict.fromkeys(self.namespaces)
