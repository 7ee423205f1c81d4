"""Keys in the database, coroutines on one event loop, and the admin's pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, override_settings

from gateway_project import settings as project
from gateway_project.callers import keys
from gateway_project.models import ApiKey
from tests.gateway.conftest import NAMES
from tiercache.http.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway_project.callers.keys import Caller


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    """Run coroutines on one event loop, as a server process does."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def identify(run: Callable[[Any], Any]) -> Callable[..., Caller | None]:
    """Say whose key this is."""

    def ask(key: str) -> Caller | None:
        async def once() -> Caller | None:
            return await keys.identify(Fields([("Authorization", f"Bearer {key}")]))

        return run(once())

    return ask


@pytest.fixture
def no_table() -> Iterator[None]:
    """A database that fails whenever it is asked for a key."""
    table = ApiKey._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")


@pytest.fixture
def pages() -> Iterator[None]:
    """The gateway's settings: its admin and its sessions in the cache."""
    with override_settings(**{name: getattr(project, name) for name in NAMES}):
        yield


@pytest.fixture
def log_in(pages: None, make_cache: Callable[..., Any]) -> Callable[..., Client]:
    """Make browsers of staff users with the given permissions; "all" makes a superuser."""
    make_cache("tiered", KEY_PREFIX="gateway")

    def make(*permissions: str) -> Client:
        user = get_user_model().objects.create(
            username="-".join(permissions) or "nobody",
            is_staff=True,
            is_superuser="all" in permissions,
        )
        user.user_permissions.set(
            Permission.objects.filter(codename__in=[f"{name}_apikey" for name in permissions])
        )
        client = Client()
        client.force_login(user)
        return client

    return make
