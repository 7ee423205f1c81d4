"""Settings of the gateway; what differs between places comes from the environment.

The variables and their defaults are listed in docs/gateway.md.
"""

from pathlib import Path
from typing import Any

from django.core.management.utils import get_random_secret_key

from gateway_project import environment

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(environment.text("GATEWAY_STATE_DIR", str(BASE_DIR / ".gateway"))).absolute()

DEBUG = environment.flag("DJANGO_DEBUG")
# Without the variable every process has a key of its own and log-ins end with it;
# `manage.py gateway` keeps one in STATE_DIR and hands it to its workers.
SECRET_KEY = environment.text("DJANGO_SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = list(environment.items("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "tiercache",
    "gateway_project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gateway_project.problems.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "gateway_project.urls"
ASGI_APPLICATION = "gateway_project.asgi.application"
WSGI_APPLICATION = "gateway_project.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
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
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": STATE_DIR / "db.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Without an address commands use the Redis of the gateway that runs in STATE_DIR; if there is none,
# the cache is this process's memory alone.
TIERCACHE_REDIS_URL = environment.text("TIERCACHE_REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "tiercache.backend.TieredCache",
        "LOCATION": TIERCACHE_REDIS_URL or environment.kept(STATE_DIR / "redis-url"),
        "KEY_PREFIX": "gateway",
        "TIMEOUT": 300,
        # After a failed load the stale answer is given for a while before the next try; and no load
        # takes longer than the largest budget of a route and its body.
        "OPTIONS": {"LOAD_RETRY": 2.0, "LEASE": 20.0},
    }
}
TIERCACHE_METRICS_TOKEN = environment.text("TIERCACHE_METRICS_TOKEN") or None
# In the database as well, so that operators stay signed in while Redis is away.
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = environment.flag("DJANGO_SECURE_COOKIES")

GATEWAY_UPSTREAMS = environment.servers("GATEWAY_UPSTREAMS")
GATEWAY_ROUTES = Path(
    environment.text("GATEWAY_ROUTES", str(BASE_DIR / "gateway_project" / "routes.toml"))
).absolute()

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

# Django's own logging shows nothing on the console while DEBUG is off.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # A caller's mistake (4xx) is the caller's to see; a failure (5xx) is ours.
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Who asks for a reload wants to read that it happened.
        "gateway.routes": {"level": "INFO"},
    },
}
