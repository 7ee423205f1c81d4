"""The gateway as an operator's site: a second cache, and a strict policy on every answer.

Sessions are kept in signed cookies, so that who looks while Redis is away stays signed in.
"""

from __future__ import annotations

from gateway_project.settings import *  # noqa: F403 - settings are made of settings
from gateway_project.settings import CACHES, MIDDLEWARE, TIERCACHE_REDIS_URL

MIDDLEWARE = ["tests.browser.policy.strict", *MIDDLEWARE]
ROOT_URLCONF = "tests.browser.urls"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {
    **CACHES,
    "shop": {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": f"{TIERCACHE_REDIS_URL.rpartition('/')[0]}/1",
        "KEY_PREFIX": "shop",
        "TIMEOUT": 120,
    },
}
