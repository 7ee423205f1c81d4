"""What a node sends when, and that each count is sent once."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ResponseError

from tiercache.exceptions import RedisAway
from tiercache.messages import Post
from tiercache.reporter import MOST_STEPS, REFUSED, Reporter
from tiercache.reports.figures import histogram
from tiercache.reports.histogram import Histogram, quantile
from tiercache.reports.history import SMALL, History, summed_sections
from tiercache.reports.report import read
from tiercache.reports.top import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIX = 1_000_000_000.0


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Subject:
    """A node that has counted what the test says."""

    id, scope, interval = "me", "site", 5.0

    def __init__(self) -> None:
        self.hits = 0

    def totals(self) -> dict[str, dict[str, int]]:
        return {"default": {"memory_hits": self.hits}} if self.hits else {}

    def described(self, unix: Any) -> dict[str, Any]:
        zeros = dict.fromkeys(("entries", "bytes", "max_entries", "max_bytes", "joins"), 0)
        texts = dict.fromkeys(("policy", "state", "reason", "backplane"), "")
        since = {"state_since": unix(0.0), "backplane_since": unix(0.0)}
        more = {"versions": {}, "settings": {}, "errors": (), "journaled": 0}
        return {**zeros, **texts, **since, **more}


class Server:
    """Remembers the commands it was sent; answers with its time, or as the test says."""

    def __init__(self) -> None:
        self.commands: list[tuple[Any, ...]] = []
        self.answer: Any = [int(UNIX) + 500, 250_000]

    def ask(self, step: Any) -> list[Any]:
        self.commands.extend(step.commands)
        if isinstance(self.answer, RedisAway):
            raise self.answer
        return [self.answer]

    @property
    def last(self) -> tuple[int, dict[str, Any], list[dict[str, int]]]:
        """The sequence number, the report and the counts of the last command."""
        scripts = [command for command in self.commands if command[0] == "EVALSHA"]
        _, _, count, *rest = scripts[-1]
        arguments = rest[count:]
        return arguments[3], json.loads(arguments[4]), [json.loads(each) for each in arguments[9:]]


@pytest.fixture
def subject() -> Subject:
    return Subject()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def now() -> list[float]:
    """A clock that the test sets."""
    return [100.0]


@pytest.fixture
def lag() -> Histogram:
    return Histogram()


@pytest.fixture
def reporter(subject: Subject, server: Server, now: list[float], lag: Histogram) -> Reporter:
    return Reporter(subject, server.ask, Post("channel", "me"), lag, lambda: now[0], lambda: UNIX)


def wait(reporter: Reporter, now: list[float], seconds: float = 5.0) -> None:
    now[0] += seconds
    reporter.turn()


def test_nothing_is_sent_before_its_time(reporter: Reporter, server: Server) -> None:
    reporter.turn()
    assert server.commands == []


def test_a_report_is_sent_each_interval_though_nothing_was_counted(
    reporter: Reporter, server: Server, now: list[float]
) -> None:
    for _ in range(3):
        wait(reporter, now)
    assert len(server.commands) == 3
    _, report, counts = server.last
    assert read(json.dumps(report).encode()) is not None
    assert counts == []


def test_a_count_is_sent_once(
    reporter: Reporter, server: Server, subject: Subject, now: list[float]
) -> None:
    subject.hits = 3
    wait(reporter, now)
    assert server.last[2] == [{"default|memory_hits": 3}]
    subject.hits = 5
    wait(reporter, now)
    assert server.last[2] == [{"default|memory_hits": 2}]
    wait(reporter, now)
    assert server.last[2] == []


def test_what_may_have_arrived_is_sent_again_as_it_was(
    reporter: Reporter, server: Server, subject: Subject, now: list[float]
) -> None:
    """Under its number, by which the server knows it, and without what was counted since."""
    subject.hits = 3
    server.answer, well = RedisAway("timeout"), server.answer
    wait(reporter, now)
    number, _, counts = server.last
    subject.hits = 9
    server.answer = well
    wait(reporter, now)
    assert server.last[0::2] == (number, counts)
    wait(reporter, now)
    assert server.last[0::2] == (number + 1, [{"default|memory_hits": 6}])


def test_an_outage_is_made_up_for_in_parts(
    reporter: Reporter, server: Server, subject: Subject, now: list[float]
) -> None:
    server.answer, well = RedisAway("refused"), server.answer
    for _ in range(100):
        subject.hits += 1
        wait(reporter, now, 15.0)
    server.answer = well
    sent: list[int] = []
    for _ in range(100 // MOST_STEPS + 2):
        wait(reporter, now)
        assert len(server.last[2]) <= MOST_STEPS
        sent += [count for each in server.last[2] for count in each.values()]
    assert sum(sent) == 100


def test_the_history_can_be_read_while_the_node_counts(hurried_threads: None) -> None:
    history = History({})

    def count() -> None:
        for number in range(4000):
            history.count({f"cache{number}": {"sets": 1}}, UNIX + 15 * (number % 40))

    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(count)
        while not counting.done():
            summed_sections(history.steps(SMALL), SMALL, UNIX, 900.0)
        counting.result()
    assert len(history.steps(SMALL)) == 40


def test_what_is_asked_for_most_can_be_read_while_it_is_counted(hurried_threads: None) -> None:
    ranking = Ranking()

    def count() -> None:
        for number in range(4000):
            ranking.count([f"key{number}"], float(number))

    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(count)
        while not counting.done():
            ranking.top(0.0, 100)
        counting.result()
    assert ranking.top(4000.0, 100).sampled > 0


def test_the_time_is_the_servers(reporter: Reporter, server: Server, now: list[float]) -> None:
    assert reporter.unix(now[0]) == UNIX
    wait(reporter, now)
    assert reporter.unix(now[0]) == UNIX + 500.25


def test_a_server_that_takes_no_reports_is_left_alone_for_a_while(
    reporter: Reporter, server: Server, now: list[float], caplog: Any
) -> None:
    server.answer = ResponseError("NOPERM no")
    for _ in range(5):
        wait(reporter, now)
    assert len(server.commands) == 1
    wait(reporter, now, REFUSED)
    assert len(server.commands) == 2
    assert caplog.text.count("tiercache.report.refused") == 1


def test_a_message_that_comes_back_tells_how_long_it_took(
    reporter: Reporter, now: list[float], lag: Histogram
) -> None:
    wait(reporter, now)
    now[0] += 0.25
    reporter.heard()
    reporter.heard()
    counts = histogram(lag.figures("lag"), "lag")
    assert sum(counts.values()) == 1
    assert quantile(counts, 0.5) == pytest.approx(0.25, rel=0.25)


def test_a_message_that_was_never_sent_is_not_waited_for(
    reporter: Reporter, server: Server, now: list[float], lag: Histogram
) -> None:
    server.answer = RedisAway("refused")
    wait(reporter, now)
    reporter.heard()
    assert sum(lag.counts) == 0


def test_a_farewell_tells_what_is_left(
    reporter: Reporter, server: Server, subject: Subject
) -> None:
    subject.hits = 4
    reporter.farewell()
    _, report, counts = server.last
    assert report["ended"] is True
    assert counts == [{"default|memory_hits": 4}]


def test_without_redis_the_past_is_kept_all_the_same(
    subject: Subject, now: list[float], lag: Histogram
) -> None:
    reporter = Reporter(subject, None, None, lag, lambda: now[0], lambda: UNIX)
    subject.hits = 7
    wait(reporter, now)
    report = reporter.report()
    assert report.recent == {"default": {"memory_hits": 7}}
    assert report.recent_seconds <= 15
