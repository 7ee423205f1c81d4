"""The text of a key, the prefix that it is looked up by, the digest that is kept."""

from __future__ import annotations

import hashlib

import pytest

from gateway_project.callers import material

KEY = "tck_abcdefgh" + "x" * 35


def test_a_drawn_key_has_the_form_of_one_and_is_another_each_time():
    one, other = material.draw(), material.draw()

    assert material.is_key(one)
    assert material.is_key(other)
    assert one != other


def test_the_prefix_is_what_follows_the_mark():
    assert material.prefix_of(KEY) == "abcdefgh"


def test_the_digest_is_of_the_whole_key():
    assert material.digest(KEY) == hashlib.sha256(KEY.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "tck_", KEY[:-1], KEY + "x", KEY[1:], KEY + "\n", f" {KEY}", KEY[:-1] + "é", KEY.upper()],
)
def test_other_texts_are_no_keys(text: str):
    assert not material.is_key(text)
