"""Run a test case of Django's own suite with our backend in place of the caches it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.test import override_settings
from django.test.signals import setting_changed

from tests.support import django_suite, servers
from tests.support.caches import DEAD, TIERED, TIERS

if settings.DJANGO_SUITE is None:
    raise RuntimeError(django_suite.LEFT_OUT)

if TYPE_CHECKING:
    import unittest

FIRST_DATABASE = 16
"""From here on, the databases of the shared server are this suite's, since it uses no prefix."""

_names: dict[str, int] = {}


def location(tiers: str, name: str) -> str:
    """Return a LOCATION for these tiers; other names are other stores."""
    if tiers == "memory":
        return f"memory://{name}" if name else ""
    if tiers == "away":
        return f"{DEAD}/{_database(name)}"
    return f"{servers.shared().url}/{_database(name)}"


def _database(name: str) -> int:
    return FIRST_DATABASE + _names.setdefault(name, len(_names))


def ours(caches: dict[str, dict[str, Any]], tiers: str) -> dict[str, dict[str, Any]]:
    """Return CACHES with our backend for every alias, and nothing else changed."""
    return {
        alias: {
            **params,
            "BACKEND": TIERED,
            "LOCATION": location(tiers, params.get("LOCATION", "")),
        }
        for alias, params in caches.items()
    }


class OnTiers:
    """A mixin before one of Django's test cases: its caches become ours, fresh for each test."""

    tiers: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        # What Django's own runner sets; the test case may override it.
        cls.enterClassContext(override_settings(LANGUAGE_CODE="en", USE_TZ=False))
        super().setUpClass()
        cls.enterClassContext(override_settings(CACHES=ours(cls.caches_setting(), cls.tiers)))

    @classmethod
    def caches_setting(cls) -> dict[str, dict[str, Any]]:
        return settings.CACHES

    def setUp(self) -> None:
        if self.tiers == "tiered":
            servers.shared().client.flushall()
        setting_changed.send(type(self), setting="CACHES", value=settings.CACHES, enter=True)
        super().setUp()


def over_each_tier(
    *cases: type[unittest.TestCase], tiers: tuple[str, ...] = TIERS, **attributes: Any
) -> dict[str, type[unittest.TestCase]]:
    """Return, by name, each test case once for each combination of tiers."""
    return {
        f"{case.__name__}_{combination}": type(
            f"{case.__name__}_{combination}",
            (OnTiers, case),
            {"tiers": combination, "__module__": "tests.contract", **attributes},
        )
        for case in cases
        for combination in tiers
    }
