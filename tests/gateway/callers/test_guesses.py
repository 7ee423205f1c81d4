"""Who offers keys that are none is held up, for a time, and remembered in bounded memory."""

from __future__ import annotations

from gateway_project.callers.guesses import MOST, MOST_PEERS, WINDOW, Guesses


def test_a_few_are_free() -> None:
    guesses = Guesses()
    for _ in range(MOST - 1):
        guesses.note("192.0.2.1", 0.0)
    assert guesses.wait("192.0.2.1", 0.0) == 0


def test_more_have_to_wait_for_the_end_of_the_window() -> None:
    guesses = Guesses()
    for second in range(MOST):
        guesses.note("192.0.2.1", float(second))
    assert guesses.wait("192.0.2.1", 20.0) == WINDOW - 20
    assert guesses.wait("192.0.2.1", WINDOW) == 0
    assert guesses.wait("192.0.2.2", 20.0) == 0


def test_another_window_begins_with_nothing() -> None:
    guesses = Guesses()
    for _ in range(MOST):
        guesses.note("192.0.2.1", 0.0)
    guesses.note("192.0.2.1", WINDOW)
    assert guesses.wait("192.0.2.1", WINDOW) == 0


def test_addresses_are_remembered_in_a_bounded_number() -> None:
    guesses = Guesses()
    for number in range(MOST_PEERS + 5):
        guesses.note(f"address {number}", 0.0)
    assert len(guesses._counts) == MOST_PEERS
