"""The memory tier: a bounded dictionary whose hits take no lock, and the tickets of its fills."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from tiercache.bounded import REASONS, Bounded
from tiercache.entry import DEAD, MISSING, Copy, Entry, Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tiercache.shelf import Shelf

__all__ = ["REASONS", "SLICE", "STRIPES", "MemoryTier"]

STRIPES: Final = 1024
"""Epochs per tier: a change to one key voids the tickets of the keys that share its stripe."""

SLICE: Final = 128
"""Entries that one hold of the lock deals with at most, where many are dealt with."""


class MemoryTier(Bounded):
    """The bounded store inside one process, kept coherent by tickets.

    - Never, as any thread could see it, are there more than `max_entries` entries or more than
      `max_bytes` accounted bytes: room is made before an entry is put in.
    - A hit takes no lock and moves nothing (`"lru"` does). The hit path may do for itself::

          entry = entries.get(key)
          if entry is not None and clock() < entry.deadline:
              entry.used = True  # then use entry.held

      and otherwise asks `fresh`, which tells an entry that was just replaced from an expired one.
    - An entry that left has the deadline `DEAD`, for whoever still refers to it. A reader that
      compared the deadline just before may answer with it all the same.
    - What the caller brings (an iterable, a predicate, the clock) never runs under the lock.
    - An insertion takes microseconds, whatever was hit. The exception is the dictionary's, which
      rebuilds itself now and then; its parts are small enough to take less than 1 ms (`Shards`).

    Tickets (docs/architecture.md has the protocol): each stripe of keys has an epoch that only
    grows, and one more is common to all. A ticket is their sum as read. It is valid while the sum
    is the same, which means that neither grew.
    """

    def __init__(
        self,
        *,
        policy: str = "s3fifo",
        max_entries: int,
        max_bytes: int,
        max_entry_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing held; arguments and errors are those of `Bounded`."""
        super().__init__(
            policy=policy,
            max_entries=max_entries,
            max_bytes=max_bytes,
            max_entry_bytes=max_entry_bytes,
            clock=clock,
        )
        self._epochs = [0] * STRIPES
        self._epoch_of_all = 0
        self._era = 0
        self._paused = False

    # What is there

    def serve(self, shelf: Shelf) -> None:
        """From now on keep a shelf's names in step with what is held."""
        with self._lock:
            self._shelves += (shelf,)

    def fresh(self, key: str) -> Entry | None:
        """Return the key's entry if it is fresh, and mark it as used: a hit."""
        now = self._clock()
        while (entry := self.entries.get(key)) is not None:
            if now < entry.deadline:
                entry.used = True
                return entry
            if entry.deadline != DEAD:
                return None
            # Replaced or dropped since the look-up: an entry is marked dead only when the
            # dictionary no longer has it, so the next look-up finds another one, or none.
        return None

    # Coherence: tickets, and the changes that void them

    def ticket(self, key: str) -> int:
        """Return a ticket for a fill, to be taken before the value is read from Redis.

        It needs no lock: a change that comes between the two reads is over before the caller
        reads Redis.
        """
        return self._epochs[hash(key) % STRIPES] + self._epoch_of_all

    def install(self, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
        """Hold what was read from Redis, if nothing changed since the ticket was taken (guard 1).

        With a void ticket nothing happens. A copy that may not be held, since its deadline has
        come or it is too large, leaves the key without one.

        Returns:
            Whether the copy is held.
        """
        entry = self._entry_type(key, copy, deadline)
        now = self._clock()
        with self._lock:
            return self.ticket(key) == ticket and not self._paused and self._hold(entry, now)

    @property
    def paused(self) -> bool:
        """Whether nothing new from Redis is held."""
        return self._paused

    def renew(self, key: str, ticket: int) -> tuple[int, bool]:
        """Do as `begin`, and tell whether the ticket given was valid until now."""
        with self._lock:
            valid = self.ticket(key) == ticket
            self._raise_epoch(key)
            return self.ticket(key), valid

    def begin(self, key: str) -> int:
        """Void all tickets for the key, and return a new one for a write about to be sent.

        The copy held so far stays readable until `finish`.
        """
        with self._lock:
            self._raise_epoch(key)
            return self.ticket(key)

    def finish(self, key: str, copy: Copy, deadline: float, ticket: int) -> bool:
        """Hold what was written to Redis, if nothing changed since `begin` (guards 2 and 3).

        If something did, nobody here knows which came last, and the key is left without a copy;
        so it is with a copy that may not be held. All tickets for the key are void afterwards.

        Returns:
            Whether the copy is held.
        """
        entry = self._entry_type(key, copy, deadline)
        now = self._clock()
        with self._lock:
            valid = self.ticket(key) == ticket and not self._paused
            self._raise_epoch(key)
            if valid:
                return self._hold(entry, now)
            self._discard(key, now)
            return False

    def begin_many(self, keys: Iterable[str]) -> list[int]:
        """Do as `begin` for keys that are written together: none voids another's ticket."""
        keys = list(keys)
        with self._lock:
            for key in keys:
                self._raise_epoch(key)
            return [self.ticket(key) for key in keys]

    def finish_many(self, copies: Mapping[str, Copy], deadline: float, tickets: list[int]) -> None:
        """Do as `finish` for keys that were written together."""
        with self._lock:
            valid = [self.ticket(key) == old for key, old in zip(copies, tickets, strict=True)]
            for key in copies:
                self._raise_epoch(key)
            tickets = [self.ticket(key) for key in copies]
        for (key, copy), ticket, was_valid in zip(copies.items(), tickets, valid, strict=True):
            if not (was_valid and self.install(key, copy, deadline, ticket)):
                self.invalidate(key)

    def invalidate(self, key: str) -> bool:
        """Void all tickets for the key and drop its copy; return whether it was fresh."""
        now = self._clock()
        with self._lock:
            self._raise_epoch(key)
            return self._discard(key, now)

    def invalidate_many(self, keys: Iterable[str]) -> None:
        """Do as `invalidate` for each key; the lock is held for at most `SLICE` of them."""
        now = self._clock()
        for part in _slices(keys):
            with self._lock:
                for key in part:
                    self._raise_epoch(key)
                    self._discard(key, now)

    def invalidate_where(self, match: Callable[[str], bool]) -> int:
        """Void all tickets at once, then drop the copies of the keys that match.

        The lock is held for at most `SLICE` entries at a time, and never while `match` runs. So a
        key may change between the two; then `match` is asked again.

        Returns:
            How many fresh copies were dropped.
        """
        now = self._clock()
        with self._lock:
            self._epoch_of_all += 1
        # list() over a dict (of which there may be several) runs no Python code, so under the GIL
        # nobody changes it meanwhile
        return sum(self._discard_where(part, match, now) for part in _slices(list(self.entries)))

    def pause(self) -> None:
        """Void all tickets, and hold nothing new from Redis until `resume`.

        What is held stays, for the time when Redis is away, and `put` goes on.
        """
        with self._lock:
            self._epoch_of_all += 1
            self._paused = True

    def resume(self, keep: Callable[[str], bool]) -> None:
        """Drop all copies but those to keep; from now on hold again what comes from Redis."""
        # Still paused, so nothing that comes from Redis is put in meanwhile.
        self.invalidate_where(lambda key: not keep(key))
        with self._lock:
            self._epoch_of_all += 1
            self._paused = False

    def invalidate_all(self) -> None:
        """Void all tickets and drop all copies.

        No copy can be found any more from the moment the lock is released. Then the entries are
        taken apart, in holds of at most `SLICE`: when this returns, all of them are `DEAD`.
        """
        policy = self._make_policy()  # it may allocate megabytes: not under the lock
        with self._lock:
            self._epoch_of_all += 1
            self._era += 1
            gone, self._policy = self._policy, policy
            self._round = policy.round()
            self.entries.clear()  # frees no entry: the queues still hold them
            for shelf in self._shelves:
                shelf.discard()
            self._bytes = self._count = 0
        for queue in gone.queues:
            while queue.length:
                with self._lock:
                    for _ in range(min(queue.length, SLICE)):
                        entry = queue.head.after
                        queue.unlink(entry)
                        entry.deadline = DEAD

    # The memory tier alone

    @property
    def era(self) -> int:
        """A number that grows whenever everything is dropped (`invalidate_all`)."""
        return self._era

    def put(
        self,
        key: str,
        copy: Copy,
        deadline: float,
        *,
        expect: Entry | Missing | None = None,
        era: int | None = None,
    ) -> bool:
        """Write a copy, as one compare-and-swap; void all tickets for the key if it is written.

        A copy that may not be held, since its deadline has come or it is too large, is written
        all the same: the key is left without one, as if it had been evicted at once.

        Args:
            key: the full key.
            copy: what to hold.
            deadline: when it ends, in seconds of the tier's clock.
            expect: None to write in any case; `MISSING` to write only if no fresh entry is
                there; an entry to write only if that very one is still held, and fresh.
            era: the `era` in which the write began; once that is over the key is left without a
                copy, as if the copy had been dropped with everything else.

        Returns:
            Whether what was expected was there, and so whether the copy was written.
        """
        entry = self._entry_type(key, copy, deadline)
        now = self._clock()
        with self._lock:
            if expect is not None:
                old = self.entries.get(key)
                if expect is not (MISSING if old is None or old.deadline <= now else old):
                    return False
            self._epochs[hash(key) % STRIPES] += 1
            if era is None or era == self._era:
                self._hold(entry, now)
            else:
                self._discard(key, now)
            return True

    def recast(self, entry: Entry, copy: Copy) -> bool:
        """Hold the same value in another form, for the rest of its time; no ticket is void.

        It takes the entry's place in the order as well, and nobody leaves to make room for it.

        Returns:
            Whether that very entry was still held, and there is room.
        """
        new = self._entry_type(entry.key, copy, DEAD)
        with self._lock:
            more = new.size - entry.size
            fits = new.size <= self._max_entry_bytes and self._bytes + more <= self._max_bytes
            if self.entries.get(entry.key) is not entry or not fits:
                return False
            self._succeed(entry, new)
            return True

    def retime(self, key: str, deadline: float, *, era: int | None = None) -> bool:
        """Give a copy another deadline, and void all tickets for the key; `era` as in `put`.

        Returns:
            Whether there was a fresh copy; with a deadline that has come it is dropped.
        """
        now = self._clock()
        with self._lock:
            entry = self.entries.get(key)
            if entry is None or entry.deadline <= now:
                return False
            self._raise_epoch(key)
            if deadline <= now or (era is not None and era != self._era):
                self._drop(entry)
            else:
                entry.deadline = deadline
            return True

    # Upkeep

    def sweep(self, limit: int) -> int:
        """Drop expired entries among the next `limit` on a round that never ends.

        The lock is held for at most `SLICE` entries at a time. With a limit of `len(self)` or
        more, every entry is looked at.

        Returns:
            How many were dropped.
        """
        if limit >= self._count:
            limit = self._count
            with self._lock:
                self._round = self._policy.round()
        dropped = 0
        for start in range(0, limit, SLICE):
            now = self._clock()
            with self._lock:
                dropped += self._sweep_slice(min(SLICE, limit - start), now)
        return dropped

    def reset_after_fork(self) -> None:
        """Begin anew in the child of a fork: nothing held, nothing counted, all tickets void.

        Another thread of the parent may have been anywhere when the process was forked, so what
        it was changing is not relied upon. To be called before the child has other threads, and
        before its shelves `begin`.
        """
        gone = list(self.entries.values())
        self.entries.clear()
        self._epoch_of_all += 1
        self._era += 1
        self._begin_empty()
        for entry in gone:
            entry.deadline = DEAD
            entry.queue = None
            with suppress(AttributeError):  # the one that was being linked may lack them
                del entry.before, entry.after

    def _discard_where(self, keys: list[str], match: Callable[[str], bool], now: float) -> int:
        """Drop those of the keys that match, and still did when nobody could change them."""
        dropped = 0
        while keys:
            tickets = [self.ticket(key) for key in keys]
            asked = zip(keys, tickets, strict=True)
            matching = [(key, ticket) for key, ticket in asked if match(key)]
            keys = []
            with self._lock:
                for key, ticket in matching:
                    if self.ticket(key) == ticket:
                        dropped += self._discard(key, now)
                    else:
                        keys.append(key)
        return dropped

    def _raise_epoch(self, key: str) -> None:
        self._epochs[hash(key) % STRIPES] += 1


def _slices(keys: Iterable[str]) -> Iterator[list[str]]:
    """Cut the keys into lists of at most `SLICE`."""
    keys = iter(keys)
    while part := list(islice(keys, SLICE)):
        yield part
