"""The judge of `benchmarks.coherence`: it finds what is wrong, and nothing else."""

from __future__ import annotations

from benchmarks.coherence_history import AWAY, BACK, KeyHistory, Outages, calms, stalled
from benchmarks.coherence_judge import judge
from benchmarks.coherence_terms import MS, Note, Seen
from benchmarks.coherence_verdict import Verdict, Window

NEVER = float("inf")
BOUND = 2.0
OUTAGE = [(AWAY[0], 100 * MS), (BACK, 200 * MS)]


def at(*notes: tuple[int | None, float, float], key: str = "key0") -> list[Note]:
    """Notes on one key, in milliseconds."""
    return [(key, value, int(begin * MS), int(end * MS)) for value, begin, end in notes]


def verdict_on(*team: Seen, **known: object) -> Verdict:
    return judge(team, BOUND, **known)


def history() -> KeyHistory:
    """1 is written, then 2, then 3 while the key is removed."""
    return KeyHistory([("k", 1, 10, 20), ("k", 2, 30, 40), ("k", 3, 50, 70), ("k", None, 60, 65)])


def test_a_replaced_value_is_stale_from_the_end_of_the_write_that_replaced_it() -> None:
    """A write that overlaps with another has not replaced it."""
    past = history()
    assert past.replaced(past.written(1, end=45)) == 40
    assert past.replaced(past.written(2, end=80)) == 65
    assert past.replaced(past.written(3, end=90)) == NEVER
    assert past.replaced(past.written(None, end=90)) == NEVER
    assert past.replaced(past.written(None, end=59)) == 20


def test_a_stale_read_is_measured_from_the_write_and_held_against_the_bound() -> None:
    """It is beyond the bound only past it."""
    writer = Seen(writes=at((1, 0, 1), (2, 2, 3)))
    soon = verdict_on(writer, Seen(reads=at((1, 4, 5))))
    assert (soon.stale, soon.beyond) == ([1.0], [])
    assert verdict_on(writer, Seen(reads=at((2, 9, 10)))).stale == []
    late = verdict_on(writer, Seen(reads=at((1, 9, 10))))
    assert (late.stale, len(late.beyond), late.own) == ([6.0], 1, [])


def test_a_value_from_nowhere_is_found() -> None:
    """Nobody had begun to write it."""
    writer = Seen(writes=at((1, 0, 1), (2, 20, 21)))
    assert len(verdict_on(writer, Seen(reads=at((9, 4, 5)))).beyond) == 1
    assert len(verdict_on(writer, Seen(reads=at((2, 4, 5)))).beyond) == 1


def test_what_one_was_told_as_the_server_went_away_another_may_not_have_been() -> None:
    """Until it knows that the server is away, and while it is; but nothing older than that."""
    writer = Seen(writes=at((1, 0, 1), (2, 2, 3), (3, 50, 51)))
    window = Window(52 * MS, 180 * MS, 181 * MS)
    reads = at((2, 60, 61), (2, 110, 111))
    late = Seen(reads=reads, events=OUTAGE)
    assert len(verdict_on(writer, late).beyond) == 2
    assert verdict_on(writer, late, windows=[window]).beyond == []
    unaware = Seen(reads=reads[:1])
    assert len(verdict_on(writer, unaware, windows=[window]).beyond) == 1
    older = Seen(reads=at((1, 60, 61), (1, 110, 111)), events=OUTAGE)
    assert len(verdict_on(writer, older, windows=[window]).beyond) == 2
    before = Seen(reads=at((2, 60, 61)), events=OUTAGE)
    other = Window(90 * MS, 180 * MS, 181 * MS)
    assert len(verdict_on(writer, before, windows=[other]).beyond) == 1


def test_a_read_that_forgot_the_own_write_is_found_whatever_the_bound() -> None:
    """Its node knew better."""
    forgetful = Seen(writes=at((1, 0, 1), (2, 2, 3)), reads=at((1, 4, 5)))
    verdict = verdict_on(forgetful)
    assert (verdict.beyond, len(verdict.own)) == ([], 1)


def test_calls_of_one_process_may_overlap() -> None:
    """Of two writes at once either may be the last; a read during a write may see either."""
    tasks = Seen(writes=at((1, 0, 9), (2, 1, 8)), reads=at((1, 10, 11), (2, 10, 11), (1, 7, 12)))
    verdict = verdict_on(tasks)
    assert (verdict.checked, verdict.stale, verdict.wrong) == (3, [], [])


def test_the_machine_is_no_excuse_for_more_than_it_took() -> None:
    """A process that was not run heard nothing; that long it may be later, and no longer."""
    writer = Seen(writes=at((1, 0, 1), (2, 2, 3)))
    stood = [(3 * MS, 8 * MS)]
    excused = verdict_on(writer, Seen(reads=at((1, 9, 10)), stalls=stood))
    assert (excused.excused, excused.beyond) == (1, [])
    assert verdict_on(writer, Seen(reads=at((1, 9, 10))), stalls=stood).excused == 1
    assert len(verdict_on(writer, Seen(reads=at((1, 11, 12)), stalls=stood)).beyond) == 1


def test_a_miss_is_wrong_until_something_removes_keys() -> None:
    """Without an outage and without a removal, what was written is there."""
    writer = Seen(writes=at((1, 1, 2)))
    assert len(verdict_on(writer, Seen(reads=at((None, 9, 10)))).beyond) == 1
    removed = Seen(writes=at((1, 1, 2), (None, 3, 4)))
    assert verdict_on(removed, Seen(reads=at((None, 9, 10)))).wrong == []
    assert verdict_on(writer, Seen(reads=at((None, 9, 10))), losses=[(8 * MS, 9 * MS)]).wrong == []


def test_what_a_node_changes_alone_binds_others_from_its_healing_on() -> None:
    """Before, they may read the value of before; afterwards neither that nor the lonely one."""
    node = Seen(writes=at((1, 0, 1), (2, 110, 111)), events=OUTAGE)
    assert verdict_on(node, Seen(reads=at((1, 150, 151)))).wrong == []
    assert verdict_on(node, Seen(reads=at((None, 300, 301)))).wrong == []
    assert len(verdict_on(node, Seen(reads=at((1, 300, 301)))).beyond) == 1
    assert len(verdict_on(node, Seen(reads=at((2, 300, 301)))).beyond) == 1


def test_an_own_deletion_is_not_undone_by_the_end_of_the_outage() -> None:
    """The node that made it never reads again what it deleted."""
    deleted = at((1, 0, 1), (None, 110, 111))
    for moment in (120, 190, 201):
        node = Seen(writes=deleted, reads=at((1, moment, moment + 1)), events=OUTAGE)
        assert len(verdict_on(node).own) == 1


def test_in_an_outage_nothing_comes_back_that_had_been_replaced_before() -> None:
    """What others do meanwhile is not known to the node; what they had done is."""
    others = Seen(writes=at((1, 0, 1), (2, 20, 21), (3, 150, 151)))
    lonely = Seen(reads=at((2, 180, 181)), events=OUTAGE)
    verdict = verdict_on(others, lonely)
    assert (verdict.alone, verdict.wrong) == (1, [])
    assert len(verdict_on(others, Seen(reads=at((1, 180, 181)), events=OUTAGE)).beyond) == 1
    assert len(verdict_on(others, Seen(reads=at((2, 210, 211)), events=OUTAGE)).beyond) == 1


def test_an_own_write_is_not_lost_while_everybody_is_cut_off() -> None:
    """Where another node is already back, it may have been replaced."""
    window = Window(90 * MS, 180 * MS, 181 * MS)
    node = Seen(writes=at((1, 110, 111)), reads=at((None, 120, 121)), events=OUTAGE)
    idle = Seen(events=OUTAGE)
    assert len(verdict_on(node, idle, windows=[window]).lost) == 1
    assert verdict_on(node, Seen(), windows=[window]).wrong == []
    removed = Seen(writes=at((1, 110, 111), (None, 112, 113)), reads=node.reads, events=OUTAGE)
    assert verdict_on(removed, idle, windows=[window]).wrong == []


def test_what_was_told_before_all_were_cut_off_may_be_heard_a_little_later() -> None:
    """Who had been away before the server was may have been healing until then."""
    window = Window(115 * MS, 180 * MS, 181 * MS)
    healing = Seen(events=OUTAGE)
    early = Seen(writes=at((1, 110, 111)), reads=at((None, 116, 117)), events=OUTAGE)
    assert verdict_on(early, healing, windows=[window]).wrong == []
    node = Seen(writes=at((1, 118, 119)), reads=at((None, 120, 121)), events=OUTAGE)
    assert len(verdict_on(node, healing, windows=[window]).lost) == 1
    node.stalls = [(116 * MS, 126 * MS)]
    assert verdict_on(node, healing, windows=[window]).wrong == []


def counting(*sums: tuple[int | None, float, float]) -> Seen:
    return Seen(sums=at(*sums, key="counter0"))


def looking(*looks: tuple[int | None, float, float]) -> Seen:
    return Seen(looks=at(*looks, key="counter0"))


def test_counters_add_up() -> None:
    """No sum comes twice, none is left out, and a stale one is found like other values."""
    node = counting((1, 0, 1), (2, 2, 3), (3, 4, 5))
    assert verdict_on(node, looking((3, 6, 7), (None, 0, 1))).wrong == []
    assert len(verdict_on(node, looking((2, 50, 51))).beyond) == 1
    assert len(verdict_on(node, looking((None, 50, 51))).beyond) == 1
    assert len(verdict_on(node, looking((4, 50, 51))).beyond) == 1
    assert len(verdict_on(node, counting((3, 6, 7))).miscounted) == 1
    assert len(verdict_on(node, counting((5, 6, 7))).miscounted) == 1


def test_counters_are_judged_between_outages() -> None:
    """An increment that failed may have been counted, and healing begins again at nought."""
    before = at((1, 0, 1), (2, 2, 3), (7, 99, 101), key="counter0")
    node = Seen(sums=before + at((1, 210, 211), (2, 212, 213), key="counter0"), events=OUTAGE)
    assert verdict_on(node, looking((3, 50, 51))).wrong == []
    assert verdict_on(node, looking((2, 220, 221), (5, 150, 151))).wrong == []
    assert len(verdict_on(node, looking((3, 220, 221))).beyond) == 1


def test_outages_are_read_from_the_log() -> None:
    """One that turns from refused writes to refused reads is one; one that goes on has no end."""
    log = [(AWAY[1], 1), (AWAY[0], 2), (BACK, 3), (AWAY[0], 5)]
    outages = Outages(Seen(events=log))
    assert outages.spans == [(1, 3), (5, NEVER)]
    assert outages.touching(0, 1) == (1, 3)
    assert outages.touching(4, 4) is None
    assert outages.touching(2, 9) == (5, NEVER)
    assert calms(outages.spans) == [(0, 1), (3, 5), (NEVER, NEVER)]
    assert stalled([(0, 4 * MS), (6 * MS, 8 * MS)], 3 * MS, 7 * MS) == 2
