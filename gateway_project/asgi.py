"""The gateway as an ASGI application."""

import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
application = get_asgi_application()
# Django would import the views in the first request, which would take 0.1 s longer.
import_module(settings.ROOT_URLCONF)
