"""The rights that docs/settings.md gives a Redis user are enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.test_calls import BEYOND, OPERATIONS, fill
from tests.support.caches import settings_for
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
LINE = re.compile(r"^ACL SETUSER site (.*)$", re.MULTILINE)


@pytest.mark.parametrize("backplane", ["pubsub", "tracking"])
def test_every_call_works_with_them(
    own_valkey: Callable[..., Valkey], make_caches: Callable[..., dict[str, Any]], backplane: str
) -> None:
    server = own_valkey()
    (rights,) = LINE.findall(PAGE.read_text())
    server.client.execute_command("ACL", "SETUSER", "site", *rights.split())
    options = {"BACKPLANE": backplane, "USERNAME": "site", "PASSWORD": "password"}
    settings = settings_for("tiered", server.url, OPTIONS=options | {"FALLBACK": "raise"})
    cache = make_caches(default=settings | {"KEY_PREFIX": "mysite"})["default"]
    fill(cache)
    cache.get_or_set("loaded", lambda: 1, grace=60, tags=("a",))
    cache.evict_tags("a")
    for operation, arguments in (OPERATIONS | BEYOND).items():
        fill(cache)
        getattr(cache, operation)(*arguments)
    eventually(lambda: cache.stats().state == "up")
    assert cache.stats().errors == {}
