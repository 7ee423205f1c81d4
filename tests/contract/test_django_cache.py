"""Django's `tests/cache/tests.py`, with our backend where it names a cache.

===================================  ======================================  ====================
test case of Django                  what it shows                           run over
===================================  ======================================  ====================
BaseCacheTests                       the contract of every backend           tiered, memory, away
BaseCacheTests, through `aget`, ...  the same through the asynchronous half  tiered, memory
CacheMiddlewareTest                  the middleware, `cache_page`            tiered, memory, away
CacheHEADTest                        HEAD answered from GET's page           tiered, memory, away
CacheI18nTest, Prefixed...           pages by language and time zone         tiered, memory, away
CacheUtils, PrefixedCacheUtils       keys of pages, `Vary`                   tiered, memory, away
TestWithTemplateResponse             pages that render late                  tiered, memory, away
CacheHandlerTest                     `caches[...]`, one object per thread    tiered, memory, away
===================================  ======================================  ====================

Not run, as they are about something else than a cache backend of ours: the test cases of Django's
own backends (Dummy, DB, LocMem, FileBased, memcached, Redis), of `make_template_fragment_key`, of
two custom backends (`CustomCacheKeyValidationTests`, `CacheClosingTests`), of LocMemCache's expiry
table (`DefaultNonExpiringCacheKeyTests`), and `tests_async.py`, which is the Dummy backend's alone.
"""

from __future__ import annotations

import inspect
from typing import Any
from unittest import mock

from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.test import TestCase

from tests.contract.on_tiers import (
    OnTiers,
    over_each_tier,
)  # before `cache`: it says what is missing

from cache import tests as django_tests  # isort: skip


class Contract(OnTiers, django_tests.BaseCacheTests):
    # Culling is how Django's own backends stay within MAX_ENTRIES, a fraction at a time; ours
    # evicts one entry at a time. Django's Redis and memcached tests leave these out as well.
    test_cull = None
    test_zero_cull = None
    test_cull_delete_when_store_empty = None

    @classmethod
    def caches_setting(cls) -> dict[str, dict[str, Any]]:
        return django_tests.caches_setting_for_tests(exclude={"cull", "zero_cull"})


class TieredTests(Contract, TestCase):
    """The contract with a real server under the memory tier."""

    tiers = "tiered"


class MemoryTests(Contract, TestCase):
    """The contract without a LOCATION."""

    tiers = "memory"


class AwayTests(Contract, TestCase):
    """The contract while Redis refuses every connection."""

    tiers = "away"


class _ThroughAsync:
    """A cache whose plain operations go through its asynchronous ones."""

    def __init__(self, alias: str) -> None:
        self.__dict__["_alias"] = alias

    def __getattr__(self, name: str) -> Any:
        cache = caches[self._alias]
        method = getattr(cache, f"a{name}", None)
        if not inspect.iscoroutinefunction(method):
            return getattr(cache, name)
        return async_to_sync(method)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(caches[self._alias], name, value)

    def __contains__(self, key: str) -> bool:
        return bool(self.has_key(key))


class _CachesThroughAsync:
    def __getitem__(self, alias: str) -> _ThroughAsync:
        return _ThroughAsync(alias)


class AsyncContract(Contract):
    """The contract, each operation of which goes through its asynchronous twin."""

    # To pickle a queryset asks the database, which Django refuses on an event loop's thread.
    test_cache_read_for_model_instance_with_deferred = None
    test_cache_write_for_model_instance_with_deferred = None
    # These sleep, 13 s in all; `test_operations.py` shows the same.
    test_expiration = None
    test_forever_timeout = None
    test_set_many_expiration = None
    test_touch = None

    def setUp(self) -> None:
        super().setUp()
        if inspect.iscoroutinefunction(getattr(type(self), self._testMethodName)):
            return  # asynchronous already
        through = _CachesThroughAsync()
        for name, stand_in in {"caches": through, "cache": through["default"]}.items():
            patch = mock.patch.object(django_tests, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)


class AsyncTieredTests(AsyncContract, TestCase):
    """The asynchronous contract with a real server under the memory tier."""

    tiers = "tiered"


class AsyncMemoryTests(AsyncContract, TestCase):
    """The asynchronous contract without a LOCATION."""

    tiers = "memory"


globals().update(
    over_each_tier(
        django_tests.CacheMiddlewareTest,
        django_tests.CacheHEADTest,
        django_tests.CacheI18nTest,
        django_tests.PrefixedCacheI18nTest,
        django_tests.CacheUtils,
        django_tests.PrefixedCacheUtils,
        django_tests.TestWithTemplateResponse,
        django_tests.CacheHandlerTest,
    )
)
