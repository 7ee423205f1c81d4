"""What has to be made good in Redis: remembered within bounds, and never forgotten unless it is."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiercache.journal import MOST_KEYS, MOST_PATTERNS, Journal
from tiercache.keys import matcher

NAMESPACES = {"a:*:*", "b:*:*"}


def journal(most_keys: int = 10) -> Journal:
    made = Journal(most_keys=most_keys)
    made.namespaces.update(NAMESPACES)
    return made


def test_an_empty_journal_believes_redis() -> None:
    """Nothing is noted, nothing has to be made good."""
    empty = journal()
    assert not empty
    assert len(empty) == 0
    assert "a:1:x" not in empty
    assert empty.some_keys(5) == ()
    assert empty.a_pattern() is None


def test_noted_keys_are_in_it_once() -> None:
    """In the order in which they came; a key that comes again takes no more room."""
    noted = journal()
    noted.note(["x", "y"])
    noted.note(["x", "z"])
    assert noted
    assert len(noted) == 3
    assert [key in noted for key in "xyzw"] == [True, True, True, False]
    assert noted.some_keys(2) == ("x", "y")
    assert noted.some_keys(99) == ("x", "y", "z")


def test_a_noted_pattern_covers_every_key() -> None:
    """Which keys fit is not worked out on each read; while a pattern waits none is believed."""
    noted = journal()
    noted.note((), "a:*")
    assert noted
    assert "anything" in noted
    assert noted.a_pattern() == "a:*"
    assert len(noted) == 0


def test_keys_of_a_pattern_need_no_place_of_their_own() -> None:
    """A batch of a walk is covered by the walk's pattern."""
    noted = journal(most_keys=2)
    noted.note([f"a:{number}" for number in range(100)], "a:*")
    assert (len(noted), noted.a_pattern(), noted.overflowed) == (0, "a:*", False)


def test_what_is_made_good_is_forgotten() -> None:
    """Keys and patterns go as they are made good, and nothing else goes with them."""
    noted = journal()
    noted.note(["x", "y"])
    noted.note((), "a:*")
    assert noted.some_keys(1) == ("x",)
    noted.forget(("x", "never noted"))
    assert noted.some_keys(9) == ("y",)
    assert noted.a_pattern() == "a:*"
    noted.forget(pattern="a:*")
    noted.forget(pattern="never noted")
    assert noted
    assert "x" not in noted
    assert "y" in noted
    noted.forget(("y",))
    assert not noted


def test_too_many_keys_become_the_namespaces() -> None:
    """Past the bound everything that this store's caches could have written counts as changed."""
    noted = journal(most_keys=10)
    noted.note(map(str, range(10)))
    assert not noted.overflowed
    noted.note(["one more"])
    assert noted.overflowed
    assert len(noted) == 0
    assert "whatever" in noted
    found = set()
    while pattern := noted.a_pattern():
        found.add(pattern)
        noted.forget(pattern=pattern)
    assert found == NAMESPACES
    assert not noted


def test_many_keys_at_once_become_the_namespaces() -> None:
    """One large set_many is enough."""
    noted = journal(most_keys=10)
    noted.note(map(str, range(1000)))
    assert noted.overflowed
    assert len(noted) == 0


def test_too_many_patterns_become_the_namespaces() -> None:
    """The patterns are bounded as the keys are."""
    noted = journal()
    for number in range(MOST_PATTERNS + 1):
        noted.note((), f"a:1:{number}*")
    assert noted.overflowed
    assert noted.a_pattern() in NAMESPACES


def test_a_change_after_the_overflow_is_not_lost() -> None:
    """What is noted while the namespaces are being removed has them removed once more."""
    noted = journal(most_keys=1)
    noted.note(["a:1:x", "a:1:y"])
    while pattern := noted.a_pattern():
        noted.forget(pattern=pattern)
    assert not noted
    noted.note(["a:1:z"])
    assert noted
    assert noted.a_pattern() in NAMESPACES


def test_a_pattern_outside_the_namespaces_survives_the_overflow() -> None:
    """delete_pattern(prefix=...) may name another prefix than any of the caches."""
    noted = journal(most_keys=1)
    noted.note((), "other:1:x*")
    noted.note(["a:1:x", "a:1:y"])
    patterns = set()
    while pattern := noted.a_pattern():
        patterns.add(pattern)
        noted.forget(pattern=pattern)
    assert any(matcher(pattern)("other:1:xyz") for pattern in patterns)


def test_an_overflow_without_a_namespace_still_waits_to_be_made_good() -> None:
    """Where a key function leaves no pattern, changes must not count as made good unasked."""
    noted = Journal(most_keys=10)
    noted.note(f"key{number}" for number in range(11))
    assert noted
    assert "key3" in noted


def test_reset_forgets_all_but_the_namespaces() -> None:
    """The next outage begins with an empty journal."""
    noted = journal(most_keys=1)
    noted.note(["x", "y"])
    noted.reset()
    assert not noted
    assert not noted.overflowed
    assert "x" not in noted
    assert noted.namespaces == NAMESPACES


def test_the_default_bounds() -> None:
    """Ten thousand keys are told apart, one more is not."""
    noted = Journal()
    noted.namespaces.add("a:*:*")
    noted.note(map(str, range(MOST_KEYS)))
    assert len(noted) == MOST_KEYS == 10_000
    noted.note(["one more"])
    assert noted.overflowed


KEYS = st.sampled_from([f"{prefix}:1:{name}" for prefix in "ab" for name in "xyzuvw"])
EVENTS = st.one_of(
    st.tuples(st.just("keys"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("pattern"), st.sampled_from(["a:1:*", "b:1:x*", "*:u"])),
    st.tuples(st.just("heal"), st.integers(1, 3)),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=25), st.integers(1, 6))
def test_every_change_is_made_good_or_still_waits(events: list, most_keys: int) -> None:
    """However notes and healing alternate, no changed key is both forgotten and not removed."""
    noted = journal(most_keys)
    changed: set[str] = set()
    every = {f"{prefix}:1:{name}" for prefix in "ab" for name in "xyzuvw"}
    for event, what in events:
        if event == "keys":
            noted.note(what)
            changed.update(what)
        elif event == "pattern":
            noted.note((), what)
            changed.update(filter(matcher(what), every))
        elif keys := noted.some_keys(what):
            noted.forget(keys)
            changed.difference_update(keys)
        elif pattern := noted.a_pattern():
            noted.forget(pattern=pattern)
            changed.difference_update(filter(matcher(pattern), every))
        assert all(key in noted for key in changed) or not changed
        assert len(noted) <= most_keys
        assert noted or not changed
