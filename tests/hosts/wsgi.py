"""The site for gunicorn and runserver; the cache is used while it is imported."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from tests.hosts import used  # noqa: E402, F401 - the settings come first
