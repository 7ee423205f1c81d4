"""The right to load a key: one node in the cluster has it, and a change takes it away."""

from __future__ import annotations

from contextlib import suppress

from ..errands import Wait
from ..exceptions import RedisAway
from ..local import Before
from ..steps import Flow, Release, Take, Taken
from .plans import Load, Outcome
from .writes import Writes

DEAF_PATIENCE = 0.1
"""Seconds after which a node that hears no messages looks again."""


class Leases(Writes):
    """Taking a lease, giving it back, and waiting for whoever has it."""

    def _take(self, load: Load) -> Flow[Load | Outcome | None]:
        """Wait for the lease, or for what its holder stores.

        Returns:
            The load if it is to be computed here, what somebody else has stored, or None if it
            is somebody else's to load and there is no need to wait.
        """
        key, tags = load.key, load.plan.full_tags
        step = self._request(load)
        while True:
            with self._traffic.bells.hung(key) as bell:
                tickets = [self._memory.ticket(name) for name in (key, *tags)]
                asked = self._clock()
                taken: Taken = yield step
                outcome = yield from self._stored_since(load, taken, tickets[0], asked)
                if outcome is not None:
                    return outcome
                if taken.mine:
                    load.before = self._before(load, taken, tickets[1:], asked)
                    return load
                if not load.awaited:
                    self._leave_alone(load, taken)
                    return None
                yield Wait(bell, self._patience(taken))

    def _request(self, load: Load) -> Take:
        """Return the step that asks for the lease, under a new token."""
        # Without a lease everyone computes, and the last one who began stores.
        over = ("resting" if load.awaited else "") if load.plan.lease else "any"
        load.token = self._traffic.token()
        life = int(self._habits.lease * 1000)
        return Take(load.key, load.token, life, over, load.plan.full_tags)

    def _leave_alone(self, load: Load, taken: Taken) -> None:
        """Let somebody else load what is stale here, and do not ask again before that is over."""
        self._traffic.rest(load.key, self._clock() + self._patience(taken))

    def _patience(self, taken: Taken) -> float:
        """Return the seconds after which to ask again, if nothing is heard before."""
        left = max(taken.left, 1) / 1000
        hears = self._habits.hears and not self._memory.paused
        return left if hears else min(left, DEAF_PATIENCE)

    def _stored_since(
        self, load: Load, taken: Taken, ticket: int, asked: float
    ) -> Flow[Outcome | None]:
        """Return what somebody else has stored since the key was looked up, if anything."""
        entry = None if load.forced else self._decode(load.key, taken.found)
        if entry is None:
            return None
        there = yield from self._judge(load.key, entry, ticket, asked)
        older = load.sight is not None and there is not None and there.left <= load.sight.left
        if there is None or there.stale or older:
            return None
        if taken.mine:
            yield from self._release(load)
        return Outcome(there.value, entry.copy)

    def _give_up(self, load: Load) -> Flow[None]:
        """Let others try: at once, or after a rest where something stale is at hand."""
        rest = 0 if load.sight is None else int(self._habits.rest * 1000)
        if rest:
            self._traffic.rest(load.key, self._clock() + rest / 1000)
        yield from self._release(load, rest)

    def _release(self, load: Load, rest: int = 0) -> Flow[None]:
        if load.token is None:
            return
        with suppress(RedisAway):  # it ends by itself, in a Redis that nobody asks at the moment
            yield Release(load.key, load.token, rest)
        self._traffic.bells.ring((load.key,))

    def _before(self, load: Load, taken: Taken, tickets: list[int], asked: float) -> Before:
        of = taken.numbers
        numbers = self._keep_numbers(load.plan.full_tags, of.found, tickets, asked)
        return Before(numbers, of.count, of.evictions)

    def _abandon(self, load: Load) -> None:
        """Leave the lease, if there is one, to the keeper."""
        if load.token is not None:
            self._traffic.abandon(load.key, load.token)

    def _go_alone(self, load: Load, away: RedisAway) -> None:
        """Load for this node alone, or raise for those who would rather know."""
        local = self._alone(away)
        if away.kind not in ("open", "alone"):
            # It may have been given all the same.
            self._abandon(load)
        load.away, load.token = True, None
        load.before = local.numbers_before(load.plan.full_tags)
