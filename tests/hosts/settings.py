"""The settings of a site so small that only its cache is left, for the servers under test."""

from __future__ import annotations

import os

SECRET_KEY = "for the tests only"
DEBUG = True  # or runserver would want to know its hosts
ALLOWED_HOSTS = ["*"]
USE_TZ = True
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
"""Says how long each answer is, so that one cut short is not taken for a whole one."""
ROOT_URLCONF = "tests.hosts.urls"
WSGI_APPLICATION = "tests.hosts.wsgi.application"
CACHES = {
    "default": {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": os.environ["HOSTS_CACHE"],
        "KEY_PREFIX": os.environ["HOSTS_PREFIX"],
    }
}
