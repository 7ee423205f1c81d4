"""What the memory tier holds: entries, the copies they are made of, the queues they stand in."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from .header import Meta

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN: Final = 0
"""The copy is the value itself, immutable, and may be handed to any caller."""

SERIALIZED: Final = 1
"""The copy is the serializer's output (bytes); each caller gets a value of its own."""

WARNS: Final = 2
"""Added to either: Django warns about this key, so every hit must go the way that does."""

KEPT: Final = 4
"""Added to any of them: `held` is a `Kept`, for entries with grace or tags."""

MOLDED: Final = 8
"""Instead of `SERIALIZED`: the copy is a `Mold`, which makes each caller a value of its own."""

FIXED: Final = 16
"""Added to `SERIALIZED`: it has been found that this copy stays as it is."""

DEAD: Final = float("-inf")
"""The deadline of an entry that has left the memory tier: before every time there is."""

OVERHEAD: Final = 256
"""Bytes accounted for an entry beyond its key and its value.

The `Entry` takes 112 and its deadline 32, as the allocator rounds them; its share of the dictionary
is 44 to 88 (14.7 bytes a place, and a table grows to between 3 and 6 places for each one used);
its records in the ghosts of S3-FIFO 12 to 24. As the growth of a process, with values of 100 bytes,
it is measured by `python -m benchmarks --only memory`: on CPython 3.11 190 to 200 when just filled,
and 220 to 240 after twice as many further writes, when every place was used once. Names (`Shelf`)
are not in it.
"""

KEPT_OVERHEAD: Final = 256
"""Bytes accounted for a `Kept` and its `Meta`, beyond the texts of its tags."""

GRAIN: Final = 16
"""Sizes are rounded up to a multiple of it, as the allocator does with the key and the value."""

SIZES: Final = tuple(range(0, 64 * 1024, GRAIN))
"""The sizes of all but large entries, to be shared by them: a number of its own takes 32 bytes."""


MOST_GRAINS: Final = len(SIZES)


class Missing:
    """The type of `MISSING`, the answer "nothing there": never a value, so `None` can be one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


class Copy(NamedTuple):
    """A value in the form in which the memory tier may hold it.

    Attributes:
        held: the value itself (`PLAIN`), its serialized bytes (`SERIALIZED`), a `Mold` (`MOLDED`),
            or a `Kept`.
        form: `PLAIN`, `SERIALIZED` or `MOLDED`, plus `WARNS` where Django warns about the key,
            plus `KEPT` where `held` is one, plus `FIXED` where it is to stay `SERIALIZED`.
        size: bytes that `held` accounts for, without the key and the entry around it.
    """

    held: Any
    form: int
    size: int


class Kept(NamedTuple):
    """What is held of an entry with grace or tags, so that others need no room for them.

    Attributes:
        held: what a plain entry would hold.
        until: when its grace is over, in seconds of the tier's clock; its deadline or later.
        meta: its tags and grace.
    """

    held: Any
    until: float
    meta: Meta


def kept(copy: Copy, until: float, meta: Meta) -> Copy:
    """Return the copy with what belongs to it."""
    size = copy.size + sum(getsizeof(key) for key, _ in meta.tags) + KEPT_OVERHEAD
    return Copy(Kept(copy.held, until, meta), copy.form | KEPT, size)


class Entry:
    """One key's copy in the memory tier, linked into one of its policy's queues.

    A reader takes no lock: it looks the entry up, compares `deadline` with the clock, and
    marks the hit with `used = True`. All else changes only under the memory tier's lock, and
    `held` and `form` never change, but that `form` may gain `FIXED`: another value is another
    entry.

    Attributes:
        key: the full key, as Redis knows it.
        held, form: as in `Copy`.
        deadline: when the copy ends, in seconds of the tier's clock; infinity where it does not
            end, `DEAD` once the entry has left the tier.
        used: whether it was hit since the policy last looked.
        credit: what the policy remembers of it.
        size: bytes accounted for, key and bookkeeping included.
        queue: the queue that the entry stands in, None before and after.
        before, after: its neighbours in that queue; not set while it stands in none.
    """

    __slots__ = (
        "after",
        "before",
        "credit",
        "deadline",
        "form",
        "held",
        "key",
        "queue",
        "size",
        "used",
    )

    before: Entry
    after: Entry

    def __init__(self, key: str, copy: Copy, deadline: float) -> None:
        self.key = key
        self.held, self.form, size = copy
        self.deadline = deadline
        grains = (size + getsizeof(key) + OVERHEAD) // GRAIN + 1
        self.size = SIZES[grains] if grains < MOST_GRAINS else grains * GRAIN
        self.queue: Queue | None = None
        self.credit = 0
        self.used = False  # the last one: a policy may give this assignment a meaning


def end(entry: Entry) -> float:
    """Return when an entry may be dropped: its grace counts, where it has one."""
    until: float = entry.held.until if entry.form & KEPT else entry.deadline
    return until


def size_of_copy(entry: Entry) -> int:
    """Return a size of which another entry with the same key accounts for as much as this one."""
    return entry.size - GRAIN - OVERHEAD - getsizeof(entry.key)


class Lookup(Protocol):
    """What the hit path asks for entries: the tier's dictionary, or what stands in for it."""

    def get(self, key: str, /) -> Entry | None:
        """Return the key's entry, None if there is none."""


class Queue:
    """A doubly-linked list of entries, linked through the entries themselves.

    Linking and unlinking take constant time and allocate nothing, so setting and deleting for
    ever leaves nothing behind, and an unlinked entry refers to no other: it is freed when its
    last reader lets go, without the garbage collector. Not safe for threads by itself.

    Attributes:
        head: the sentinel that closes the ring; `head.after` is the oldest entry.
        length: how many entries stand in the queue.
        cursor: the entry that `patrol` comes to next; one that leaves hands it on.
    """

    __slots__ = ("cursor", "head", "length")

    def __init__(self) -> None:
        self.head = Entry("", Copy(None, PLAIN, 0), DEAD)
        self.head.before = self.head.after = self.cursor = self.head
        self.length = 0

    def append(self, entry: Entry) -> None:
        """Link an entry that stands in no queue, as the newest."""
        head = self.head
        entry.queue = self
        entry.after = head
        entry.before = newest = head.before
        newest.after = head.before = entry
        self.length += 1

    def unlink(self, entry: Entry) -> None:
        """Take out an entry that stands in this queue."""
        before, after = entry.before, entry.after
        before.after = after
        after.before = before
        if entry is self.cursor:
            self.cursor = after
        entry.queue = None
        del entry.before, entry.after
        self.length -= 1

    def substitute(self, old: Entry, new: Entry) -> None:
        """Put `new`, which stands in no queue, in the place of `old`, which stands in this one."""
        new.queue = self
        new.before, new.after = old.before, old.after
        new.before.after = new.after.before = new
        if old is self.cursor:
            self.cursor = new
        old.queue = None
        del old.before, old.after

    def patrol(self) -> Iterator[Entry]:
        """Yield the entries one by one, oldest first, whatever comes and goes in between.

        An entry that stands in the queue from the first step to the last is yielded once, unless
        it moves meanwhile; the steps are never more than the entries there were at the first.
        There can be one patrol at a time, since it moves the queue's only cursor.
        """
        self.cursor = self.head.after
        for _ in range(self.length):
            if self.cursor is self.head:
                return
            entry, self.cursor = self.cursor, self.cursor.after
            yield entry
