"""The site for uvicorn; the cache is used while it is imported."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

application = get_asgi_application()

from tests.hosts import used  # noqa: E402, F401 - the settings come first
