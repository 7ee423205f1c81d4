"""What an operator does must not cost the site its cache, nor the audit its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from tests.admin.conftest import ALL
from tests.operations.support import restricted
from tiercache.models import Eviction
from tiercache.operations import evicting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Valkey

EVICT = "/admin/tiercache/c/default/evict/"


def evict(operator: Any, **said: str) -> Any:
    """Preview an eviction and confirm it."""
    announced = operator.post(EVICT, {"tier": "all", **said, "step": "preview"})
    confirmed = {**said, "step": "confirm", "token": announced.context["token"]}
    return operator.post(EVICT, {"tier": "all", **confirmed}, follow=True)


@pytest.mark.parametrize(
    "said",
    [{"what": "pattern", "pattern": "a*"}, {"what": "version", "version": "1", "typed": "default"}],
)
def test_an_eviction_that_needs_scan_without_the_right_does_not_cut_redis_off(
    said: dict[str, str],
    make_caches: Callable[..., dict[str, Any]],
    valkey: Valkey,
    operator: Callable[..., Any],
) -> None:
    cache = restricted(make_caches, valkey, "-scan")
    cache.set("a", 1)
    answer = evict(operator(*ALL), **said)
    assert answer.status_code == 200
    assert "scan" in Eviction.objects.get().error
    assert cache.stats().state == "up"
    cache.set("b", 2)
    assert valkey.client.exists(cache.make_key("b"))


def test_a_row_of_the_audit_outlives_the_failure_of_its_request(
    operator: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    monkeypatch.setattr(evicting, "_evict", fail)
    browser = operator(*ALL)
    browser.raise_request_exception = False
    assert evict(browser, what="keys", names="a").status_code == 500
    row = Eviction.objects.get()
    assert (row.error, bool(row.nonce)) == ("in the middle", True)


@pytest.mark.parametrize("page", ["history", "change"])
@pytest.mark.parametrize("number", ["7", "9" * 5000, "x", "٣"])
def test_the_admins_own_pages_of_a_row_tell_nothing(
    page: str, number: str, operator: Callable[..., Any]
) -> None:
    Eviction.objects.create(
        id=7, actor="boss", origin="page", cache="default", selection="tag secret", tier="all"
    )
    answer = operator("view_keys").get(f"/admin/tiercache/eviction/{number}/{page}/")
    assert answer.status_code == 302
    assert b"secret" not in operator("view_keys").get(answer.headers["Location"]).content


def numbers_alone(key: str, prefix: str, version: int) -> str:
    """A key function of a site whose keys are numbers."""
    return f"{prefix}:{version}:{int(key)}"


@pytest.mark.parametrize("said", [{"what": "keys", "names": "abc"}, {"what": "tag", "tag": "abc"}])
def test_what_the_sites_key_function_does_not_take_is_refused_in_words(
    said: dict[str, str], make_cache: Callable[..., Any], operator: Callable[..., Any]
) -> None:
    make_cache(KEY_FUNCTION=numbers_alone)
    answer = operator(*ALL).post(EVICT, {"tier": "all", **said, "step": "preview"})
    assert answer.status_code == 400
    assert b"does not take" in answer.content
