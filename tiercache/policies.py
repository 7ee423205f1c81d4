"""Eviction policies: which entry leaves when the memory tier is full.

A policy does its work when an entry is put in, so that a hit moves nothing and takes no lock
(`Lru` is the exception, and says so). It holds the order of the entries and nothing else: the
dictionary, the bounds and the clock are the memory tier's. Every method is called under the
memory tier's lock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from tiercache.entry import Entry, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from threading import Lock

PATIENCE: Final = 256
"""Entries that one insertion may spare because they were hit; the next one goes all the same.

Without it, the first insertion after every entry was hit would walk through all of them.
"""

CREDIT: Final = 2
"""Rounds without a hit that `S3Fifo` spares an entry at most, for as many rounds with one.

More favours what was popular for long, less what has just become so: 1 costs 0.1 to 0.2 points of
hit ratio on the traces that this was measured on, 3 costs 0.3 where popularity moves fast.
"""

TRIAL: Final = 0.2
"""The share of the room that `S3Fifo` gives to the trial at first; then it follows the ghosts."""

LEAST_TRIAL: Final = 0.05
MOST_TRIAL: Final = 0.95
"""The bounds of that share: either queue keeps enough room to be heard of again."""

FEWEST_ON_TRIAL: Final = 20
"""Entries that the trial keeps whatever its share is, but half of them at most."""

NEAR: Final = 5
"""A queue longer by one in so many of all entries would have kept the keys that count as near.

A tenth is too few to learn from where there is little room; half is far from the last entry.
"""

MARK: Final = 0xFFFFFFFF
"""The highest number of departures that a ghost counts, and all bits of a mark."""


class Policy(ABC):
    """The order in which entries leave.

    Attributes:
        entry_type: the class of the entries that this policy orders.
        queues: where the entries stand; each entry of the tier in exactly one of them.
    """

    entry_type: ClassVar[type[Entry]] = Entry
    queues: tuple[Queue, ...]

    def __init__(self, room: int, lock: Lock) -> None:  # noqa: B027 - most need neither
        """Begin with no entries.

        Args:
            room: the number of entries that the tier can hold at most.
            lock: the tier's lock, for a policy whose hits need it.
        """

    @abstractmethod
    def add(self, entry: Entry) -> None:
        """Let in an entry whose key has none."""

    @abstractmethod
    def replace(self, old: Entry, new: Entry) -> None:
        """Let in `new` for `old`, which has the same key and leaves."""

    @abstractmethod
    def victim(self) -> Entry:
        """Return the entry that should leave next; there must be one. The caller takes it out."""

    def round(self) -> Iterator[Entry]:
        """Yield every entry once, whatever comes and goes in between (see `Queue.patrol`)."""
        for queue in self.queues:
            yield from queue.patrol()


class Fifo(Policy):
    """The oldest written entry goes first; a rewrite makes an entry the newest."""

    def __init__(self, room: int, lock: Lock) -> None:
        super().__init__(room, lock)
        self.queue = Queue()
        self.queues = (self.queue,)

    def add(self, entry: Entry) -> None:
        """Let in an entry whose key has none, as the newest."""
        self.queue.append(entry)

    def replace(self, old: Entry, new: Entry) -> None:
        """Let in `new` for `old`, as the newest."""
        self.queue.unlink(old)
        self.queue.append(new)

    def victim(self) -> Entry:
        """Return the oldest entry."""
        return self.queue.head.after


class LockedQueue(Queue):
    """A queue whose entries can move to its end on their own, under the tier's lock."""

    __slots__ = ("lock",)

    def __init__(self, lock: Lock) -> None:
        super().__init__()
        self.lock = lock


class MovingEntry(Entry):
    """An entry that a hit makes the newest of its queue: marking it takes the tier's lock."""

    __slots__ = ()

    @property
    def used(self) -> bool:
        """Never: a hit leaves its trace in the entry's place."""
        return False

    @used.setter
    def used(self, _: bool) -> None:
        queue = self.queue
        if isinstance(queue, LockedQueue):
            with queue.lock:
                if self.queue is queue:  # it may have left while this thread waited
                    queue.unlink(self)
                    queue.append(self)


class Lru(Fifo):
    """The entry that was not read or written for the longest time goes first, exactly.

    Each hit takes the tier's lock and moves the entry: what the other policies do without.
    """

    entry_type = MovingEntry

    def __init__(self, room: int, lock: Lock) -> None:
        super().__init__(room, lock)
        self.queue = LockedQueue(lock)
        self.queues = (self.queue,)


class Ghost:
    """Which keys left lately, in constant memory: 8 bytes a key, and no object for any of them.

    A table of places for two 32-bit numbers: when the key left (a count of departures), and 32 bits
    of its hash. The other bits say which pair of places is the key's; of the two the older is
    overwritten. A crowded pair forgets a key early, and one key in a few thousand million is taken
    for another: either costs no more than a place in the wrong queue.
    """

    def __init__(self, room: int) -> None:
        self._places = max(8, 1 << (room - 1).bit_length())
        self._last = 2 * (self._places - 1)
        self._forget_all()

    def _forget_all(self) -> None:
        self._table = array("I", (0,)) * (2 * self._places)
        self._departures = 0

    def add(self, key: str) -> None:
        """Note that the key left now."""
        if self._departures == MARK:  # the count is used up
            self._forget_all()
        table = self._table
        value = hash(key)
        place = value & self._last
        if table[place ^ 2] < table[place]:
            place ^= 2
        self._departures = table[place] = self._departures + 1
        table[place + 1] = value >> 32 & MARK

    def take(self, key: str) -> int:
        """Forget the key; return how many others left since it did, `MARK` if it is not known."""
        value = hash(key)
        mark = value >> 32 & MARK
        place = value & self._last
        table = self._table
        if table[place + 1] != mark:
            place ^= 2
            if table[place + 1] != mark:
                return MARK
        when = table[place]
        table[place] = table[place + 1] = 0
        return self._departures - when if when else MARK


class S3Fifo(Policy):
    """S3-FIFO: a small queue on trial, a main queue, and ghosts of those that left either.

    New entries stand in the small queue. Whoever comes to its front goes on to the main queue if
    it was hit, and leaves otherwise; then the ghost remembers its key, and if it is back before
    long it goes to the main queue at once. Whoever comes to the front of the main queue goes
    round again if it was hit, and leaves otherwise; each round with a hit also earns it a later
    round without one, `CREDIT` at most. So what is asked for once, a scan, passes through the
    small queue and leaves the main one alone.

    How long the trial should be depends on what is asked for: where keys come back late and then
    never again, the main queue fills with what is over, and a fixed fifth falls far below LRU. So
    a key that is back although its queue was almost long enough moves the border by one entry:
    to a longer trial if it had failed the trial, to a shorter one if it had left the main queue.
    They come equally often where the last entry is worth the same in either queue. Only those
    count that a queue longer by one in `NEAR` would have kept. All that come back are no measure:
    most keys leave on trial, so they would lengthen it even where it should be short.

    After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction"
    (SOSP 2023), and the border after its adaptive form, S3-FIFO-D (libCacheSim, S3FIFOd.c), which
    compares two short ghosts as well; the step of one entry is ARC's (Megiddo and Modha, FAST
    2003), which saves counting the hits and waiting until they are enough. Other settings:
    one hit is enough to be promoted, and the trial begins at a fifth of the room instead of a
    tenth. The room is what the tier holds at present, since either of its bounds may be the one
    that counts. The paper counts the hits, up to 3, in the entry; here a hit stores a constant,
    which is cheaper, and the rounds are counted, which comes to the same hit ratios (no count at
    all: up to 0.8 points less).
    """

    def __init__(self, room: int, lock: Lock) -> None:
        super().__init__(room, lock)
        self.small = Queue()
        self.main = Queue()
        self.ghost = Ghost(room)
        self.main_ghost = Ghost(room // 2)  # with less, crowded pairs forget what is near
        self.share = TRIAL
        self._spared = 0  # since an entry was last let in
        self.queues = (self.small, self.main)  # in this order, a promoted one slips past no round

    def add(self, entry: Entry) -> None:
        """Let in an entry whose key has none: on trial, unless the trial's ghost knows the key."""
        self._spared = 0
        entries = self.small.length + self.main.length
        since = self.ghost.take(entry.key)
        if since < entries:
            if since < entries // NEAR:
                self.share = min(self.share + 1 / entries, MOST_TRIAL)
            self.main.append(entry)
        else:
            if self.main_ghost.take(entry.key) < entries // NEAR:
                self.share = max(self.share - 1 / entries, LEAST_TRIAL)
            self.small.append(entry)

    def replace(self, old: Entry, new: Entry) -> None:
        """Let in `new` at the place of `old`, and with its mark: a write is not a hit."""
        self._spared = 0
        (self.small if old.queue is self.small else self.main).substitute(old, new)
        new.used, new.credit = old.used, old.credit

    def victim(self) -> Entry:
        """Return who fails at the front of its queue; one insertion spares at most `PATIENCE`."""
        small, main = self.small, self.main
        while True:
            entries = small.length + main.length
            trial = int(self.share * entries)
            if trial < FEWEST_ON_TRIAL:
                trial = min(FEWEST_ON_TRIAL, (entries + 1) // 2)
            queue = small if small.length >= trial or not main.length else main
            entry = queue.head.after
            if not (entry.used or entry.credit) or self._spared == PATIENCE:
                (self.ghost if queue is small else self.main_ghost).add(entry.key)
                return entry
            self._spared += 1
            self._spare(entry, queue)

    def _spare(self, entry: Entry, queue: Queue) -> None:
        """Move an entry from the front of its queue to the end of the main queue."""
        if queue is self.main:
            entry.credit = min(entry.credit + 1, CREDIT) if entry.used else entry.credit - 1
        entry.used = False
        queue.unlink(entry)
        self.main.append(entry)


POLICIES: Final[Mapping[str, type[Policy]]] = MappingProxyType(
    {"fifo": Fifo, "lru": Lru, "s3fifo": S3Fifo}
)
"""The policies by the names under which the settings know them."""
