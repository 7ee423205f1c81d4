"""Rivals: who is there, who is missing and why, and that each is called as the tables say."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from benchmarks import rivals
from benchmarks.rivals import Rival


def a_rival(**more: object) -> Rival:
    rival = rivals.RIVALS[rivals.OURS]
    return dataclasses.replace(rival, **more)  # type: ignore[arg-type]


def test_a_package_that_is_not_installed_is_named():
    missing = a_rival(package="no-such-cache").missing
    assert missing == "no-such-cache is not installed (benchmarks/requirements.txt)"


def test_a_python_that_is_too_old_is_named():
    missing = a_rival(python=(4, 0)).missing
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert missing == f"django-tiercache needs Python 4.0 or later; this is {own}"


def test_what_comes_with_django_is_never_missing():
    assert rivals.missing(rivals.LOCMEM, rivals.REDIS_CACHE, rivals.OURS) == {}


def test_rivals_are_found_by_what_they_can():
    assert rivals.able("django", "memory") == (rivals.OURS, rivals.LOCMEM)
    assert rivals.CASHEWS in rivals.able("aget")
    assert rivals.CASHEWS not in rivals.able("get")
    assert "dict" in rivals.able("limit")


def test_ours_is_the_first_column():
    assert next(iter(rivals.RIVALS)) == rivals.OURS


@pytest.mark.parametrize("name", rivals.RIVALS)
def test_every_rival_says_what_it_is(name: str):
    rival = rivals.RIVALS[name]
    assert rival.name == name
    assert rival.about
    assert rival.can
    assert (rival.entry is None) == ("django" not in rival.can)
