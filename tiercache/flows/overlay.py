"""The operations as an open transaction sees them: its own changes over what the cache has.

Nothing is changed here: a change is deferred, with what it does to the view, and the flow that
carries it out at the commit. Whether it comes to that is the transaction's business.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from .. import sources
from ..entry import MISSING, Missing
from ..errands import Compute
from ..exceptions import RedisAway
from ..loading import DEFAULT, LoadContext, as_names
from ..pending import Effect, Held, View
from ..steps import FOREVER, Flow
from .batches import Batches, ManySource, mapping_of
from .common import SCAN_COUNT, Format, Packed, Sight
from .plans import Plan
from .writes import PLAIN_ENTRY, Extras


class Transaction(Protocol):
    """An open transaction, and what waits for its commit."""

    def view(self) -> View:
        """Return what it has changed so far."""

    def defer(self, effect: Effect, flow: Callable[[], Flow[Any]] | None) -> None:
        """Apply a change at the commit; None: there is nothing to apply, only to be seen."""


class Seen(NamedTuple):
    """What a transaction sees under a key.

    Attributes:
        value: one of the caller's own.
        left: milliseconds until its timeout, infinity for ever.
        tags: full keys of its tags.
        tier: which tier had it.
    """

    value: Any
    left: float
    tags: tuple[str, ...]
    tier: sources.Tier


class Overlay:
    """The operations of one alias, as `Flows`, within a transaction.

    Args:
        flows: the alias's own, which answer for what the transaction has not touched.
        transaction: where changes wait.
        defers: whether every change waits; if not, those do that would overtake one that waits.
    """

    def __init__(self, flows: Batches, transaction: Transaction, *, defers: bool) -> None:
        self._flows = flows
        self._transaction = transaction
        self._defers = defers

    # Reads

    def get(self, key: str) -> Flow[Any]:
        """Return what the transaction sees, or `MISSING`."""
        seen = yield from self._see(key)
        if seen is None:
            self._flows._count("miss")
            return MISSING
        self._flows._count(seen.tier, left=seen.left)
        return seen.value

    def get_many(self, keys: tuple[str, ...]) -> Flow[dict[str, Any]]:
        """Return what the transaction sees; Redis is asked in one step, if at all."""
        seen = yield from self._see_all(keys)
        for tier in ("memory", "redis"):
            self._flows._count(tier, sum(each.tier == tier for each in seen.values()))
        self._flows._count("miss", len(keys) - len(seen))
        return {key: each.value for key, each in seen.items()}

    def has(self, key: str) -> Flow[bool]:
        """Tell whether the transaction sees anything under the key."""
        view = self._transaction.view()
        if view.look(key) is MISSING and not view.has_evictions:
            return (yield from self._flows.has(key))
        return (yield from self._see(key)) is not None

    def left(self, key: str) -> Flow[int | None]:
        """Tell what is left of an entry's time, as `Flows.left`."""
        view = self._transaction.view()
        if view.look(key) is MISSING and not view.has_evictions:
            return (yield from self._flows.left(key))
        seen = yield from self._see(key)
        if seen is None:
            return None
        return FOREVER if seen.left == float("inf") else int(seen.left)

    # Changes

    def set(
        self, key: str, value: Any, life: int | None, when: str = "", extras: Extras = PLAIN_ENTRY
    ) -> Flow[bool]:
        """Write a value; what "NX" and "XX" ask is answered now, and asked again at the commit."""
        if not self._waits(key):
            return (yield from self._flows.set(key, value, life, when, extras))
        packed = self._flows._codec.pack(value)
        if life == 0:
            return (yield from self._set_expired(key, when))
        if when and (yield from self.has(key)) is (when == "NX"):
            return False
        flows, held = _taking_packed(self._flows), self._held(packed, life, extras.tags)
        self._transaction.defer(
            Effect({key: held}), lambda: flows.set(key, _Ready(packed), life, when, extras)
        )
        return True

    def set_many(
        self, values: Mapping[str, Any], life: int | None, extras: Extras = PLAIN_ENTRY
    ) -> Flow[None]:
        """Write values that all live `life` milliseconds."""
        if not self._waits(*values):
            yield from self._flows.set_many(values, life, extras)
            return
        packed = {key: self._flows._codec.pack(value) for key, value in values.items()}
        if life == 0:
            yield from self.delete(tuple(packed))
            return
        flows = _taking_packed(self._flows)
        ready = {key: _Ready(item) for key, item in packed.items()}
        held = {key: self._held(item, life, extras.tags) for key, item in packed.items()}
        self._transaction.defer(Effect(held), lambda: flows.set_many(ready, life, extras))

    def delete(self, keys: tuple[str, ...]) -> Flow[int]:
        """Remove keys, also those that are not there yet: another may store them meanwhile.

        Return how many were there, if it is one key: of several no call wants to know.
        """
        if not self._waits(*keys):
            return (yield from self._flows.delete(keys))
        there = int((yield from self.has(keys[0]))) if len(keys) == 1 else 0
        self._transaction.defer(Effect(dict.fromkeys(keys)), lambda: self._flows.delete(keys))
        return there

    def evict(self, tags: tuple[str, ...], *, soft: bool = False) -> Flow[int]:
        """Evict everything that bears one of these tags; return 0, since none has been yet."""
        self._transaction.defer(Effect(evicts=tags), lambda: self._flows.evict(tags, soft=soft))
        yield from ()  # a flow that asks Redis nothing
        return 0

    def remove_pattern(
        self, pattern: str, match: Callable[[str], bool], count: int = SCAN_COUNT
    ) -> Flow[int]:
        """Remove all keys that fit; return 0, since none has been yet."""
        self._transaction.defer(
            Effect(removes=(pattern, match)),
            lambda: self._flows.remove_pattern(pattern, match, count),
        )
        yield from ()  # a flow that asks Redis nothing
        return 0

    def increment(self, key: str, delta: Any, *, create: bool = False) -> Flow[Any]:
        """Add to what the transaction sees; what is applied is the same increment."""
        if not self._waits(key):
            return (yield from self._flows.increment(key, delta, create=create))
        seen = yield from self._see(key)
        if seen is None and not create:
            return MISSING
        total = (0 if seen is None else seen.value) + delta
        packed = self._flows._codec.pack(total)
        held = self._held(packed, None if seen is None else seen.left, seen.tags if seen else ())
        self._transaction.defer(
            Effect({key: held}), lambda: self._flows.increment(key, delta, create=create)
        )
        return total

    def expire(self, key: str, command: str, argument: int | None, life: int | None) -> Flow[bool]:
        """Give what the transaction sees another timeout; at once if this is not `touch`."""
        if command != "TOUCH" or not self._waits(key):
            return (yield from self._flows.expire(key, command, argument, life))
        seen = yield from self._see(key)
        if seen is None:
            return False
        packed = self._flows._codec.pack(seen.value)
        held = None if life == 0 else self._held(packed, life, seen.tags)
        self._transaction.defer(
            Effect({key: held}), lambda: self._flows.expire(key, command, argument, life)
        )
        return True

    def load(self, key: str, source: Any, plan: Plan, *, force: bool = False) -> Flow[Any]:
        """Return what the transaction sees, else compute it here, for the transaction alone.

        The source may see rows that are not committed, so its value is stored for nobody; what
        `force` was to replace is removed at the commit.
        """
        seen = None if force else (yield from self._see(key))
        if seen is not None:
            self._flows._count(seen.tier, left=seen.left)
            return seen.value
        context, began = LoadContext(key), self._flows._clock()
        try:
            value = yield Compute(source, context, self._flows._habits.cache)
        except Exception as exc:
            self._flows._calls.load_failed(exc, self._flows._clock())
            self._flows._calls.failed += 1
            raise
        self._flows._calls.loaded_in(self._flows._clock() - began)
        self._flows._count("loaded")
        self._remember(key, value, plan, context, force=force)
        return value

    def load_many(
        self, keys: Mapping[str, Any], source: ManySource, plan: Plan
    ) -> Flow[dict[str, Any]]:
        """Return what the transaction sees; compute the others here, for the transaction alone."""
        seen = yield from self._see_all(tuple(keys))
        values = {key: each.value for key, each in seen.items()}
        missing = {name: key for key, name in keys.items() if key not in seen}
        if missing:
            context = LoadContext(next(iter(missing.values())))
            work = Compute(partial(source, list(missing)), context, self._flows._habits.cache)
            found = mapping_of((yield work))
            for name in missing.keys() & found.keys():
                values[missing[name]] = found[name]
                self._remember(missing[name], found[name], plan, context, force=False)
        return values

    # Applied at once, whatever waits

    def scan(
        self, cursor: int, pattern: str, match: Callable[[str], bool], count: int = SCAN_COUNT
    ) -> Flow[tuple[int, list[str]]]:
        """Take one step of a walk over what the cache has."""
        return self._flows.scan(cursor, pattern, match, count)

    def rename(self, old: str, new: str) -> Flow[bool]:
        """Give an entry of the cache another key."""
        return self._flows.rename(old, new)

    def call(
        self, function: Callable[[Any], Any], keys: tuple[str, ...], *, writes: bool, empty: Any
    ) -> Flow[Any]:
        """Run one of django-redis's own calls."""
        return self._flows.call(function, keys, writes=writes, empty=empty)

    # What they share

    def _waits(self, *keys: str) -> bool:
        if self._defers:
            return True
        view = self._transaction.view()
        return any(view.look(key) is not MISSING for key in keys)

    def _see(self, key: str) -> Flow[Seen | None]:
        held = self._transaction.view().look(key)
        if isinstance(held, Missing):
            return self._not_evicted((yield from self._flows._sight(key, 0.0)))
        return self._opened(key, held)

    def _see_all(self, keys: tuple[str, ...]) -> Flow[dict[str, Seen]]:
        view, flows = self._transaction.view(), self._flows
        known = {key: view.look(key) for key in keys}
        seen: dict[str, Seen | None] = {
            key: self._opened(key, held)
            for key, held in known.items()
            if not isinstance(held, Missing)
        }
        others = tuple(key for key in keys if key not in seen)
        sights: Mapping[str, Sight | None] = {}
        if others:
            try:
                sights = yield from flows._look_at_all(others)
            except RedisAway as away:
                flows._alone(away)
                sights = {key: flows._glance(flows._memory.entries.get(key)) for key in others}
        seen |= {key: self._not_evicted(sights.get(key)) for key in others}
        return {key: each for key, each in seen.items() if each is not None}

    def _not_evicted(self, sight: Sight | None) -> Seen | None:
        if sight is None or sight.stale:
            return None
        tags = tuple(tag for tag, _ in sight.meta.tags)
        if self._transaction.view().evicts(tags):
            return None
        return Seen(sight.value, sight.left, tags, sight.tier)

    def _opened(self, key: str, held: Held | None) -> Seen | None:
        now = self._flows._clock()
        if held is None or held.deadline <= now:
            return None
        value = self._flows.local.opened(key, held.copy)
        if value is MISSING:
            return None
        return Seen(value, (held.deadline - now) * 1000, held.tags, "memory")

    def _held(self, packed: Packed, life: float | None, tags: tuple[str, ...]) -> Held:
        forever = life is None
        deadline = float("inf") if forever else self._flows._clock() + (life or 0) / 1000
        return Held(packed.copy, deadline, tags)

    def _set_expired(self, key: str, when: str) -> Flow[bool]:
        if when != "NX":
            return bool((yield from self.delete((key,))))
        return not (yield from self.has(key))

    def _remember(
        self, key: str, value: Any, plan: Plan, context: LoadContext, *, force: bool
    ) -> None:
        terms = plan.terms
        life = terms.life(plan.timeout if context.timeout is DEFAULT else context.timeout)
        if not context.stored or life == 0:
            return
        tags = tuple(map(terms.tag, dict.fromkeys((*plan.tags, *as_names(context.tags)))))
        held = self._held(self._flows._codec.pack(value), life, tags)
        flow = (lambda: self._flows.delete((key,))) if force else None
        self._transaction.defer(Effect({key: held}), flow)


class _Ready(NamedTuple):
    """A value that was serialized when the call was made."""

    packed: Packed


class _PackedAlready:
    """A value format that takes such values as they are."""

    def __init__(self, codec: Format) -> None:
        self.loads = codec.loads
        self.unpack = codec.unpack
        self.mold = codec.mold
        self._codec = codec

    def pack(self, value: Any) -> Packed:
        return value.packed if isinstance(value, _Ready) else self._codec.pack(value)


def _taking_packed(flows: Batches) -> Batches:
    flows = copy.copy(flows)
    flows._codec = _PackedAlready(flows._codec)
    return flows
