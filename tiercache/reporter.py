"""What tells of a node: its report, every few seconds, and its own part of the history.

Off the request path: it is called by the keeper. Redis gets a report in one step, and where it
does not take it, because it is away or the user may not write there, the node goes on without.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from . import scripts
from .breaker import jitter
from .exceptions import RedisAway
from .messages import Post
from .reports.figures import Sections, flat
from .reports.histogram import Histogram
from .reports.history import KEPT, LARGE, SMALL, History, summed_sections
from .reports.places import Places
from .reports.report import FORGOTTEN, Report, written
from .reports.top import Ranking
from .sampling import ONE_IN
from .steps import Ask, Step

logger = logging.getLogger("tiercache")

FIRST: Final = 1.0
"""Seconds from a node's first use to its first report at the most."""

RECENT: Final = 900.0
"""Seconds that a report's recent figures look back on."""

KEPT_TOTALS: Final = 30 * 86400
"""Seconds for which Redis keeps what was counted in all, since the last report."""

MOST_STEPS: Final = 8
"""Steps of the history that one report tells; further ones, after an outage, wait for the next.

Each takes the server 1 or 2 ms, and after an outage all nodes have many at once.
"""

ENDED: Final = 60
"""Seconds for which a node is told of that has ended."""

REFUSED: Final = 60.0
"""Seconds after which a report is tried again that the server did not take."""


class Subject(Protocol):
    """What is reported of: a node."""

    id: str
    scope: str

    @property
    def interval(self) -> float:
        """Seconds between two reports."""

    def totals(self) -> Sections:
        """Return what has been counted since the start."""

    def described(self, unix: Callable[[float], float]) -> dict[str, Any]:
        """Return the fields of a `Report` that the node knows itself.

        Args:
            unix: turns a reading of the node's clock into the server's Unix time.
        """


class Reporter:
    """Reports of one node. One thread lets it count and send; `report` and `heard` are for all.

    Args:
        subject: the node.
        ask: carries a step out by a deadline of its own; raises `RedisAway`; None where there is no
            Redis tier.
        post: where the node's messages go, None if it sends none.
        lag: where the times are counted that messages take.
        clock: the node's clock, in seconds.
        wall: the Unix time, until the server has told its own.
    """

    def __init__(
        self,
        subject: Subject,
        ask: Callable[[Step], Any] | None,
        post: Post | None,
        lag: Histogram,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        now = clock()
        self.ranking = Ranking()
        self.history = History(subject.totals())
        self._subject = subject
        self._ask = ask
        self._post = post
        self._lag = lag
        self._clock = clock
        self._places = Places(subject.scope)
        self._offset = wall() - now
        self._started = now
        self._due = now + min(FIRST, subject.interval) * jitter()
        self._sequence = 1
        self._under_way: dict[int, Sections] = {}
        self._beat: float | None = None
        self._refused = False

    def unix(self, moment: float) -> float:
        """Turn a reading of the node's clock into the server's Unix time."""
        return moment + self._offset

    def turn(self) -> None:
        """Count, and report, if it is time."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._subject.interval * jitter()
        self._count(now)
        if self._ask is not None:
            self._send(self._ask, ended=False)

    def farewell(self) -> None:
        """Report for the last time."""
        self._count(self._clock())
        if self._ask is not None:
            self._send(self._ask, ended=True)

    def heard(self) -> None:
        """Take note that this node's own last message has come back. Thread-safe."""
        beat, self._beat = self._beat, None
        if beat is not None:
            self._lag.record(int((self._clock() - beat) * 1e9))

    def report(self, *, ended: bool = False) -> Report:
        """Return the node's report as of now."""
        now = self._clock()
        unix = self.unix(now)
        recent, seconds = summed_sections(
            self.history.steps(SMALL), SMALL, unix, min(RECENT, now - self._started)
        )
        return Report(
            id=self._subject.id,
            host=platform.node(),
            pid=os.getpid(),
            started=self.unix(self._started),
            at=unix,
            interval=self._subject.interval,
            ended=ended,
            totals=self._subject.totals(),
            recent=recent,
            recent_seconds=seconds,
            top=self.ranking.top(now, ONE_IN),
            **self._subject.described(self.unix),
        )

    def _count(self, now: float) -> None:
        self.history.count(self._subject.totals(), self.unix(now))

    def _send(self, ask: Callable[[Step], Any], *, ended: bool) -> None:
        if not self._under_way:
            self._under_way = self.history.take_untold(MOST_STEPS)
        self._beat = sent = self._clock()
        command = self._command(written(self.report(ended=ended)), self._under_way)
        commands = [command]
        if ended:
            # It has been told that it ended; nobody needs to see that for long.
            own = self._places.report(self._subject.id)
            commands.append(("PEXPIRE", own, ENDED * 1000))
        try:
            reply, *_ = ask(Ask(tuple(commands), changes=True))
        except RedisAway:
            # It may have arrived: the same steps are sent again under the same number.
            self._beat = None
            return
        if isinstance(reply, Exception):
            self._is_refused(reply)
            return
        self._refused = False
        self._sequence += 1
        self._under_way = {}
        self._learn_the_time(reply, sent)

    def _command(self, report: str, steps: Mapping[int, Sections]) -> tuple[Any, ...]:
        places = self._places
        keys = [places.index, places.report(self._subject.id), places.totals]
        keys += [key for number in steps for key in places.steps_of(number)]
        told = ("", "") if self._post is None else self._post.of(())
        return scripts.run(
            scripts.REPORT,
            tuple(keys),
            *told,
            self._subject.id,
            self._sequence,
            report,
            FORGOTTEN * 1000,
            KEPT[SMALL] + SMALL,
            KEPT[LARGE] + LARGE,
            KEPT_TOTALS,
            *[json.dumps(flat(sections)) for sections in steps.values()],
        )

    def _learn_the_time(self, reply: Any, sent: float) -> None:
        seconds, microseconds = map(int, reply)
        # What it took is at most half wrong, whichever way took longer.
        middle = (sent + self._clock()) / 2
        self._offset = seconds + microseconds / 1e6 - middle

    def _is_refused(self, error: Exception) -> None:
        self._due = self._clock() + max(REFUSED, self._subject.interval)
        self._beat = None
        if not self._refused:
            self._refused = True
            logger.warning(
                "tiercache.report.refused: the server takes no reports: %s; other processes' "
                "pages do not show this one",
                error,
                extra={"event": "tiercache.report.refused"},
            )
