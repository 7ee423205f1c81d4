"""An admin site over a real cache, and users with the rights that a test gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings

from tests.admin import made
from tiercache.operations import overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiercache.reports.cluster import View

FRAME = {
    "ROOT_URLCONF": "tests.admin.urls",
    "STATIC_URL": "/static/",
    "SESSION_ENGINE": "django.contrib.sessions.backends.db",
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
}

ALL = ("view_stats", "view_keys", "view_values", "evict", "clear")


class Operator(Client):
    """A browser in which a member of staff with some of the rights is signed in."""

    def __init__(self, name: str, rights: tuple[str, ...]) -> None:
        super().__init__()
        self.user = User.objects.create_user(name, is_staff=True)
        permissions = Permission.objects.filter(
            content_type__app_label="tiercache", codename__in=rights
        )
        self.user.user_permissions.set(permissions)
        self.force_login(self.user)


@pytest.fixture
def cache(make_cache: Callable[..., Any], db: None) -> Iterator[Any]:
    """The default cache over both tiers, with the admin in front of it."""
    made_cache = make_cache()
    with override_settings(**FRAME):
        yield made_cache


@pytest.fixture
def operator(cache: Any) -> Callable[..., Operator]:
    """Sign members of staff in: with all rights, or with those that are named."""
    names = (f"operator-{number}" for number in range(1, 100))

    def sign_in(*rights: str, name: str = "") -> Operator:
        return Operator(name or next(names), rights)

    return sign_in


@pytest.fixture
def chief(operator: Callable[..., Operator]) -> Operator:
    """A member of staff with all rights."""
    return operator(*ALL, name="chief")


@pytest.fixture
def chief_without_redis(make_cache: Callable[..., Any], db: None) -> Iterator[Operator]:
    """A member of staff with all rights, at a site whose Redis is away."""
    make_cache("away")
    with override_settings(**FRAME):
        yield Operator("chief", ALL)


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have pages show views that were made by hand; without any, a busy cluster's."""

    def put(*views: View) -> None:
        shown = list(views or (made.view(),))
        monkeypatch.setattr(overview, "views", lambda **_: shown)
        monkeypatch.setattr(overview, "view", lambda _cache, **_: shown[0])

    return put
