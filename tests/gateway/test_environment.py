"""The environment's variables: taken, left at their defaults, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway_project import environment

Read = Callable[[str], Any]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (environment.text, None, ""),
        (environment.text, " x ", "x"),
        (environment.flag, None, False),
        (environment.flag, "", False),
        (environment.flag, "1", True),
        (environment.items, "a, b,,", ("a", "b")),
        (environment.servers, None, ()),
        (environment.servers, "http://a:1/, https://b", ("http://a:1", "https://b")),
        (environment.servers, "http://[::1]:8/base/", ("http://[::1]:8/base",)),
    ],
)
def test_what_is_read(monkeypatch: pytest.MonkeyPatch, read: Read, text: str | None, value: Any):
    monkeypatch.delenv("A_VARIABLE", raising=False)
    if text is not None:
        monkeypatch.setenv("A_VARIABLE", text)

    assert read("A_VARIABLE") == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (environment.flag, "yes"),
        (environment.servers, "localhost:80"),
        (environment.servers, "ftp://a"),
        (environment.servers, "http://"),
        (environment.servers, "http://a?b=c"),
        (environment.servers, "http://a:port"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, read: Read, text: str):
    monkeypatch.setenv("A_VARIABLE", text)

    with pytest.raises(ImproperlyConfigured, match="A_VARIABLE must"):
        read("A_VARIABLE")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:secret@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:p@ss@h/0", "rediss://me:***@h/0"),
    ],
)
def test_a_password_is_masked(url: str, shown: str):
    assert environment.masked(url) == shown
