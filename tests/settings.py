"""Django's settings for the tests; one that needs another cache overrides CACHES (`make_cache`)."""

from __future__ import annotations

import sys

from tests.support import django_suite

SECRET_KEY = "for the tests only"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "tests.support.sqlite", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "tiercache.backend.TieredCache", "LOCATION": ""}}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "tiercache",
    # The gateway's tables are made with the others, before a test can ask for its settings.
    "django.contrib.admin",
    "django.contrib.messages",
    "gateway_project",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# Django's own test packages stand on the path as Django's runner puts them there, and two of them
# have models, so they must be installed before any test module is imported.
DJANGO_SUITE = django_suite.path()
if DJANGO_SUITE is not None:
    sys.path.append(str(DJANGO_SUITE))
    INSTALLED_APPS += ["cache", "sessions_tests"]
