"""Django's `tests/template_tests/syntax_tests/test_cache.py`: `{% cache %}` over our backend.

`CacheTagTests` and `CacheTests`, over each combination of tiers, nothing left out.
"""

from __future__ import annotations

from django.test import override_settings

from tests.contract.on_tiers import (
    OnTiers,
    ours,
    over_each_tier,
)  # before the suite: says if missing

from template_tests.syntax_tests import test_cache as django_tests  # isort: skip


class CacheTests(django_tests.CacheTests):
    __test__ = False

    def test_cache_fragment_cache(self) -> None:
        """The alias "template_fragments" has precedence: Django's test, our backend."""
        assert isinstance(self, OnTiers)
        caches = {"default": {}, "template_fragments": {"LOCATION": "fragments"}}
        with override_settings(CACHES=ours(caches, self.tiers)):
            django_tests.CacheTests.test_cache_fragment_cache.__wrapped__(self)


globals().update(over_each_tier(django_tests.CacheTagTests, CacheTests, __test__=True))
