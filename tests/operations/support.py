"""Caches whose Redis user may not do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.caches import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey


def restricted(make_caches: Callable[..., dict[str, Any]], valkey: Valkey, *rules: str) -> Any:
    """Make a cache whose Redis user has all rights but some."""
    valkey.client.execute_command(
        "ACL", "SETUSER", "limited", "reset", "on", ">word", "~*", "&*", "+@all", *rules
    )
    options = {"USERNAME": "limited", "PASSWORD": "word"}
    return make_caches(default=settings_for("tiered", valkey.url, OPTIONS=options))["default"]
