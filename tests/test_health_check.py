"""django-health-check's check of a cache holds for ours, over each combination of tiers."""

from __future__ import annotations

from typing import Any

import pytest
from health_check.checks import Cache

from tests.support.caches import settings_for


async def test_a_cache_is_healthy_over_each_combination_of_tiers(cache: Any) -> None:
    """Without Redis as well: memory answers, as callers see it; see `tiercache:ready` for Redis."""
    result = await Cache(alias="default").get_result()
    assert result.error is None


async def test_a_cache_that_would_rather_raise_is_not_healthy_while_redis_is_away(
    make_caches: Any,
) -> None:
    strict = settings_for("away", "", OPTIONS={"FALLBACK": "raise"})
    make_caches(default=strict)
    with pytest.raises(Exception, match="connecting to"):
        await Cache(alias="default").run()
