"""A bounded dictionary of entries: what fits, who leaves, and what it accounts for."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from tiercache.entry import DEAD, OVERHEAD, Entry, end
from tiercache.policies import POLICIES
from tiercache.shards import SHIFT, Entries, make_entries, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiercache.policies import Policy
    from tiercache.shelf import Shelf

REASONS: Final = ("entries", "bytes", "expired", "too_large")
"""Why a copy was evicted or refused.

`"entries"` and `"bytes"`: that bound asked for room. `"expired"`: it was swept, or replaced, after
its deadline. `"too_large"`: it was refused, since it accounts for more than `max_entry_bytes`.
"""


class Bounded:
    """The entries and their bounds. Methods with a leading underscore are called under the lock.

    Args:
        policy: who leaves when it is full, a name from `POLICIES`.
        max_entries: how many entries there may be, at least 1.
        max_bytes: how many accounted bytes there may be, at least 1.
        max_entry_bytes: an entry that accounts for more is not held.
        clock: seconds from any fixed point, never going back; deadlines are readings of it.

    Raises:
        ValueError: the policy is unknown, or a bound is below 1.

    Attributes:
        entries: the entries by key, expired ones included until they are swept; the same
            dictionary (or `Shards`) for the whole life. Anyone may read it, nobody else may change
            it.
    """

    def __init__(
        self,
        *,
        policy: str,
        max_entries: int,
        max_bytes: int,
        max_entry_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}; valid names: {', '.join(POLICIES)}")
        if min(max_entries, max_bytes, max_entry_bytes) < 1:
            raise ValueError(
                f"bounds must be at least 1, not {max_entries=}, {max_bytes=}, {max_entry_bytes=}"
            )
        self._hold_in(make_entries(max_entries))
        self._shelves: tuple[Shelf, ...] = ()
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_entry_bytes = min(max_entry_bytes, max_bytes)
        self._policy_type = POLICIES[policy]
        self._entry_type = self._policy_type.entry_type
        self._begin_empty()

    def _hold_in(self, entries: Entries) -> None:
        self.entries = entries
        self._parts = parts_of(entries)
        self._mask = len(self._parts) - 1

    def _begin_empty(self) -> None:
        self._lock = Lock()
        self._bytes = self._count = 0
        self._evictions = dict.fromkeys(REASONS, 0)
        self._policy = self._make_policy()
        self._round = self._policy.round()

    def _make_policy(self) -> Policy:
        room = max(1, min(self._max_entries, self._max_bytes // OVERHEAD))
        return self._policy_type(room, self._lock)

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Bytes accounted for: values, keys and `OVERHEAD` for each entry."""
        return self._bytes

    @property
    def evictions(self) -> dict[str, int]:
        """How many copies went or were refused, by reason (see `REASONS`): a snapshot."""
        return dict(self._evictions)

    def _hold(self, entry: Entry, now: float) -> bool:
        """Put an entry in, for the one that its key has; False, and none is left, if it may not."""
        key, size = entry.key, entry.size
        over = entry.deadline <= now and end(entry) <= now
        if over or size > self._max_entry_bytes:
            if not over:
                self._evictions["too_large"] += 1
            self._discard(key, now)
            return False
        part = self._parts[hash(key) >> SHIFT & self._mask]
        old = part.get(key)
        if old is not None and self._replaces(old, entry, now):
            return True
        # Written out, since it is what each fill of a full tier does.
        while self._count >= self._max_entries:
            self._drop(self._policy.victim())
            self._evictions["entries"] += 1
        while self._bytes + size > self._max_bytes:
            self._drop(self._policy.victim())
            self._evictions["bytes"] += 1
        self._policy.add(entry)
        self._bytes += size
        self._count += 1
        part[key] = entry
        return True

    def _replaces(self, old: Entry, new: Entry, now: float) -> bool:
        """Put an entry in for one with the same key, unless that has to leave to make room."""
        while self._bytes + new.size - old.size > self._max_bytes:
            self._drop(self._policy.victim())
            self._evictions["bytes"] += 1
            if old.queue is None:
                return False
        self._policy.replace(old, new)
        self._evictions["expired"] += old.deadline <= now
        self._settle(old, new)
        return True

    def _settle(self, old: Entry, new: Entry) -> None:
        """Let the dictionary have the new entry, which stands in a queue, and the old one go."""
        new.key = old.key  # the dictionary keeps the string it has: let there be only one
        self._bytes += new.size - old.size
        self.entries[new.key] = new
        self._bury(old)  # after the dictionary has the new one, see fresh()

    def _discard(self, key: str, now: float) -> bool:
        """Drop the key's entry, if it has one; return whether that was fresh."""
        entry = self.entries.get(key)
        if entry is None:
            return False
        fresh = now < entry.deadline
        self._drop(entry)
        return fresh

    def _drop(self, entry: Entry) -> None:
        """Take an entry out of the dictionary and its queue, and mark it as gone."""
        key = entry.key
        del self._parts[hash(key) >> SHIFT & self._mask][key]
        self._bytes -= entry.size
        self._count -= 1
        if entry.queue is not None:
            entry.queue.unlink(entry)
        self._bury(entry)  # after the dictionary has forgotten it, see fresh()

    def _bury(self, entry: Entry) -> None:
        """Mark an entry that has left as gone, and forget by which names it was known."""
        entry.deadline = DEAD
        for shelf in self._shelves:
            if shelf.known:
                shelf.forget(entry.key)

    def _succeed(self, old: Entry, new: Entry) -> None:
        """Put an entry in the place of one with the same key, in whatever order there is."""
        new.deadline, new.used, new.credit = old.deadline, old.used, old.credit
        if old.queue is not None:
            old.queue.substitute(old, new)
        self._settle(old, new)

    def _sweep_slice(self, count: int, now: float) -> int:
        """Drop the expired ones among the next `count` entries of the round."""
        dropped = 0
        for _ in range(count):
            entry = next(self._round, None)
            if entry is None:
                self._round = self._policy.round()
                entry = next(self._round, None)
            if entry is None:  # nothing is held
                break
            if entry.deadline <= now and end(entry) <= now:
                self._drop(entry)
                dropped += 1
        self._evictions["expired"] += dropped
        return dropped
