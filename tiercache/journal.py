"""Which keys were changed while Redis did not hear of it."""

from __future__ import annotations

from collections.abc import Iterable

MOST_KEYS = 10_000
MOST_PATTERNS = 100


class Journal:
    """The keys and patterns that have to be removed from Redis before it is trusted again.

    Bounded: past `MOST_KEYS` keys or `MOST_PATTERNS` patterns, everything that the caches of
    this store could have written (their `namespaces`) counts as changed. Where a cache has no
    namespace, since its key function leaves no pattern, each key is remembered instead: a record
    that grows is better than a change that is lost.

    What is being made good is asked for (`some_keys`, `a_pattern`) and then forgotten (`forget`);
    what was noted again in between stays. Not thread-safe by itself; its owner changes it under a
    lock. `in` needs none.

    Attributes:
        namespaces: glob patterns of the full keys of the caches on this store.
        complete: whether every cache on this store has a namespace.
        overflowed: whether single keys are no longer told apart.
    """

    def __init__(self, *, most_keys: int = MOST_KEYS) -> None:
        self.namespaces: set[str] = set()
        self.complete = True
        self.overflowed = False
        self._most_keys = most_keys
        self._keys: dict[str, None] = {}
        self._patterns: dict[str, None] = {}
        self._asked_for: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Whether Redis's answer for the key must not be believed."""
        return self.overflowed or key in self._keys or bool(self._patterns)

    def __bool__(self) -> bool:
        return bool(self._keys or self._patterns)

    def __len__(self) -> int:
        return len(self._keys)

    def note(self, keys: Iterable[str], pattern: str | None = None) -> None:
        """Remember that these keys, or all that fit a pattern, were or may have been changed."""
        if pattern is not None:
            self._patterns[pattern] = None
            self._asked_for.discard(pattern)
        elif self.overflowed:
            self._note_namespaces()
        else:
            keys = dict.fromkeys(keys)
            self._keys.update(keys)
            self._asked_for.difference_update(keys)
        full = len(self._keys) > self._most_keys or len(self._patterns) > MOST_PATTERNS
        if full and self.complete and self.namespaces and not self.overflowed:
            self._overflow()

    def some_keys(self, most: int) -> tuple[str, ...]:
        """Return up to `most` keys to make good, the oldest first."""
        keys = tuple(key for key, _ in zip(self._keys, range(most), strict=False))
        self._asked_for.update(keys)
        return keys

    def a_pattern(self) -> str | None:
        """Return a pattern to make good, or None."""
        pattern = next(iter(self._patterns), None)
        if pattern is not None:
            self._asked_for.add(pattern)
        return pattern

    def forget(self, keys: Iterable[str] = (), pattern: str | None = None) -> None:
        """Take out what has been made good in Redis, unless it was noted again since."""
        for key in keys:
            if key in self._asked_for:
                self._keys.pop(key, None)
                self._asked_for.discard(key)
        if pattern is not None and pattern in self._asked_for:
            self._patterns.pop(pattern, None)
            self._asked_for.discard(pattern)

    def reset(self) -> None:
        """Forget everything but the namespaces: all is made good."""
        self._keys.clear()
        self._patterns.clear()
        self._asked_for.clear()
        self.overflowed = False

    def _overflow(self) -> None:
        self.overflowed = True
        self._keys.clear()
        if len(self._patterns) > MOST_PATTERNS:
            # Those of this store's caches are a part of their namespaces.
            self._patterns.clear()
        self._note_namespaces()

    def _note_namespaces(self) -> None:
        self._patterns.update(dict.fromkeys(self.namespaces))
        self._asked_for.difference_update(self.namespaces)
