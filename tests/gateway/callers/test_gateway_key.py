"""`manage.py gateway_key`: make, list and revoke keys."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway_project.models import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tiers(make_cache: Callable[..., Any]) -> None:
    """An empty cache over both tiers."""
    make_cache("tiered", KEY_PREFIX="gateway")


def manage(*arguments: str, warnings: StringIO | None = None) -> str:
    """Run the command; return what it wrote to its standard output."""
    out = StringIO()
    call_command("gateway_key", *arguments, stdout=out, stderr=warnings or StringIO())
    return out.getvalue()


def test_a_key_is_made_and_printed_alone(identify: Any):
    key = manage("create", "reader", "--tenant", "acme", "--rate", "5/s", "--may-purge").strip()

    caller = identify(key)
    assert (caller.tenant, caller.may_purge, caller.rate.requests) == ("acme", True, 5)


def test_a_key_may_have_an_end():
    manage("create", "guest", "--expires", "30")

    left = ApiKey.objects.get().expires - timezone.now()
    assert timedelta(days=29.9) < left <= timedelta(days=30)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "100"], "rate: '100' is not a rate"),
        (["--tenant", "a b"], "tenant: Allowed: letters"),
        (["--expires", "0"], "'0'; allowed: days, more than 0"),
        (["--expires", "soon"], "'soon'; allowed: days"),
        (["--expires", "nan"], "'nan'; allowed: days"),
    ],
)
def test_a_bad_argument_makes_no_key(arguments: list[str], said: str):
    with pytest.raises(CommandError, match=re.escape(said)):
        manage("create", "reader", *arguments)

    assert not ApiKey.objects.exists()


def test_the_list_says_what_each_key_is_worth_and_shows_none(make_key: Any):
    _, active = make_key(name="reader", rate="5/s")
    revoked, _ = make_key(name="old")
    revoked.revoke()
    make_key(name="guest", expires=timezone.now() - timedelta(days=1))

    head, *rows = manage("list").splitlines()

    assert head.split() == ["KEY", "STATE", "TENANT", "RATE", "PURGE", "EXPIRES", "NAME"]
    assert [(row.split()[1], row.split()[-1]) for row in rows] == [
        ("expired", "guest"),
        ("revoked", "old"),
        ("active", "reader"),
    ]
    assert rows[-1].split()[0] == active[:12]
    assert active not in "".join(rows)


def test_a_key_is_revoked_by_what_the_list_shows(make_key: Any):
    row, _ = make_key()

    assert manage("revoke", row.shown) == f"{row} is revoked.\n"
    assert manage("revoke", row.shown) == f"{row} was revoked before.\n"
    row.refresh_from_db()
    assert row.state == "revoked"


@pytest.mark.parametrize(("tiers", "warns"), [("tiered", False), ("memory", True)])
def test_to_revoke_without_redis_warns_that_others_do_not_hear_of_it(
    make_key: Any, make_cache: Any, tiers: str, warns: bool
):
    make_cache(tiers)
    row, _ = make_key()
    said = StringIO()

    manage("revoke", row.shown, warnings=said)

    assert ("TIERCACHE_REDIS_URL is not set here" in said.getvalue()) is warns


def test_to_revoke_a_key_that_is_not_there_says_so():
    with pytest.raises(CommandError, match="No key begins with 'tck_nothing'"):
        manage("revoke", "tck_nothing")
