"""Keys in the admin: made, shown once, revoked, by those who may."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection

from gateway_project.admin import ApiKeyAdmin
from gateway_project.callers import keys, material
from gateway_project.callers.credentials import BadKey
from gateway_project.models import ApiKey
from tests.coherence.nodes import SOON, in_memory, pair_settings
from tests.gateway.callers.support import texts
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from django.test import Client

    from tests.support.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/gateway_project/apikey/"
ADD = f"{LIST}add/"
SHOWN = re.compile(r'<code id="key">(tck_[^<]+)</code>')


def form(**chosen: str) -> dict[str, str]:
    return {"name": "reader", "tenant": "acme", "expires_0": "", "expires_1": "", **chosen}


def made(client: Client, **chosen: str) -> tuple[ApiKey, str, Any]:
    """Make a key in the admin; return its row, the key, and the page that shows it."""
    page = client.post(ADD, form(**chosen))
    shown = SHOWN.search(page.text)
    assert shown is not None, page.text
    return ApiKey.objects.get(), shown[1], page


def revoke(client: Client, row: ApiKey) -> Any:
    return client.post(LIST, {"action": "revoke", "_selected_action": [str(row.pk)]})


def test_a_key_made_in_the_admin_works(log_in: Any, identify: Any):
    row, key, _ = made(log_in("all"), rate="5/s", may_purge="on")

    caller = identify(key)
    assert (caller.prefix, caller.tenant, caller.may_purge) == (row.prefix, "acme", True)
    assert caller.rate.requests == 5


def test_the_page_with_the_key_is_not_to_be_kept(log_in: Any):
    _, key, page = made(log_in("all"))

    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert page.text.count(key[12:]) == 1


def test_the_key_is_shown_once(log_in: Any):
    client = log_in("all")
    row, key, _ = made(client)

    for path in (LIST, f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/history/", "/admin/"):
        page = client.get(path)
        assert page.status_code == 200
        assert key[12:] not in page.text, path
        assert row.digest not in page.text, path


def test_the_key_is_kept_nowhere(log_in: Any, valkey: Valkey, caplog: Any):
    client = log_in("all")
    with caplog.at_level(0):
        row, key, page = made(client)
    secret = key[12:]

    assert secret not in caplog.text
    assert secret not in json.dumps([morsel.value for morsel in client.cookies.values()])
    assert secret not in str(page.headers)
    kept = texts(valkey)
    assert kept  # the session, at least
    assert not any(secret.encode() in value for value in kept)
    with connection.cursor() as cursor:
        assert secret not in "\n".join(cursor.connection.iterdump())
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.is_addition()) == (f"reader (tck_{row.prefix})", True)


def test_a_bad_rate_is_an_error_of_its_field(log_in: Any):
    page = log_in("all").post(ADD, form(rate="100"))

    errors = page.context["adminform"].form.errors
    assert list(errors) == ["rate"]
    assert "is not a rate; allowed: requests/time" in html.unescape(page.text)
    assert not ApiKey.objects.exists()


def test_a_name_is_text_and_no_markup(log_in: Any):
    client = log_in("all")
    row, _, page = made(client, name="<script>alert(1)</script>")
    change = f"{LIST}{row.pk}/change/"

    for text in (page.text, client.get(LIST).text, client.get(change).text):
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_what_a_key_is_cannot_be_changed_but_what_it_may_can(log_in: Any, identify: Any):
    client = log_in("all")
    row, key, _ = made(client)
    identify(key)

    client.post(
        f"{LIST}{row.pk}/change/",
        form(name="writer", tenant="rival", rate="7/m", may_purge="on", prefix="x", digest="x"),
    )

    caller = identify(key)
    assert (caller.tenant, caller.may_purge, caller.rate.requests) == ("acme", True, 7)
    assert ApiKey.objects.get().name == "writer"


def test_revoking_ends_a_key_in_another_processs_memory(
    log_in: Any, identify: Any, make_caches: Any, valkey: Valkey, monkeypatch: Any
):
    client = log_in("change", "view", "add")
    # The session is in the first cache, so it is made anew in these.
    other = make_caches(**pair_settings(valkey.url))["other"]
    client.force_login(get_user_model().objects.get())
    monkeypatch.setattr(keys, "cache", other)
    row, key, _ = made(client)
    identify(key)
    assert in_memory(other, material.cache_key(row.prefix))

    revoke(client, row)

    def is_refused() -> bool:
        try:
            identify(key)
        except BadKey as exc:
            return exc.detail == "This key was revoked."
        return False

    eventually(is_refused, within=SOON)


def test_revoking_is_written_into_the_history_once(log_in: Any, make_key: Any):
    client, (row, _) = log_in("change", "view"), make_key()

    revoke(client, row)
    revoke(client, row)

    row.refresh_from_db()
    assert row.state == "revoked"
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Revoked."]


def test_a_change_does_not_undo_a_revocation_in_the_same_moment(
    log_in: Any, make_key: Any, monkeypatch: Any
):
    client, (row, _) = log_in("change", "view"), make_key()
    read = ApiKeyAdmin.get_object

    def read_too_early(*arguments: Any) -> Any:
        found = read(*arguments)
        row.revoke()
        return found

    monkeypatch.setattr(ApiKeyAdmin, "get_object", read_too_early)
    client.post(f"{LIST}{row.pk}/change/", form(name="writer"))

    row.refresh_from_db()
    assert (row.name, row.state) == ("writer", "revoked")


@pytest.mark.parametrize("path", [LIST, ADD, f"{LIST}1/change/"])
def test_staff_without_permissions_see_nothing(log_in: Any, make_key: Any, path: str):
    make_key(id=1)

    assert log_in().get(path).status_code == 403


def test_who_may_only_look_can_neither_make_nor_revoke_nor_change(log_in: Any, make_key: Any):
    client, (row, _) = log_in("view"), make_key()

    assert client.get(LIST).status_code == 200
    assert client.post(ADD, form()).status_code == 403
    assert client.post(f"{LIST}{row.pk}/change/", form(name="mine")).status_code == 403
    revoke(client, row)

    row.refresh_from_db()
    assert (row.name, row.state) == ("reader", "active")
    assert ApiKey.objects.count() == 1


def test_only_superusers_delete_keys_and_only_one_at_a_time(log_in: Any, make_key: Any):
    row, _ = make_key()
    delete = f"{LIST}{row.pk}/delete/"
    staff, superuser = log_in("change", "delete", "view"), log_in("all")

    assert staff.post(delete, {"post": "yes"}).status_code == 403
    superuser.post(
        LIST, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    )
    assert ApiKey.objects.exists()
    assert superuser.post(delete, {"post": "yes"}).status_code == 302
    assert not ApiKey.objects.exists()
    assert LogEntry.objects.get().is_deletion()
