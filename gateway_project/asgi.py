"""The gateway as an ASGI application."""

import os
from importlib import import_module
from typing import cast

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup(set_prefix=False)

from gateway_project.fast import Application, FastPath  # noqa: E402 - it needs the settings
from gateway_project.routing import current  # noqa: E402

application = FastPath(cast("Application", get_asgi_application()))
# A file of routes that is not right shows now, and not with the first request.
current.table()
# Django would import the views in the first request, which would take 0.1 s longer.
import_module(settings.ROOT_URLCONF)
