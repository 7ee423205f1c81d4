"""Django's `tests/sessions_tests/tests.py`, the parts that keep sessions in a cache.

`CacheSessionTests` and `CacheDBSessionTests` (with and without time zones), over each combination
of tiers. Left out are the tests that replace the cache by one of Django's test backends
(`test_cache_set_failure_non_fatal` and its like).
"""

from __future__ import annotations

from typing import Any

from django.test import override_settings

from tests.contract.on_tiers import (
    OnTiers,
    ours,
    over_each_tier,
)  # before the suite: says if missing

from sessions_tests import tests as django_tests  # isort: skip

DUMMY = "django.core.cache.backends.dummy.DummyCache"


class CacheSessionTests(django_tests.CacheSessionTests):
    __test__ = False

    def test_non_default_cache(self) -> None:
        """Sessions go into the cache that SESSION_CACHE_ALIAS names: Django's test, our backend."""
        assert isinstance(self, OnTiers)
        caches = ours({"sessions": {"LOCATION": "sessions"}}, self.tiers)
        with override_settings(
            CACHES={"default": {"BACKEND": DUMMY}, **caches}, SESSION_CACHE_ALIAS="sessions"
        ):
            django_tests.CacheSessionTests.test_non_default_cache.__wrapped__(self)


class CacheDBSessionTests(django_tests.CacheDBSessionTests):
    __test__ = False

    # These replace the cache by one that always fails.
    test_cache_set_failure_non_fatal: Any = None
    test_cache_async_set_failure_non_fatal: Any = None


class CacheDBSessionWithTimeZoneTests(django_tests.CacheDBSessionWithTimeZoneTests):
    __test__ = False

    test_cache_set_failure_non_fatal: Any = None
    test_cache_async_set_failure_non_fatal: Any = None


globals().update(
    over_each_tier(
        CacheSessionTests, CacheDBSessionTests, CacheDBSessionWithTimeZoneTests, __test__=True
    )
)
