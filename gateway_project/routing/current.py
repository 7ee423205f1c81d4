"""The process's table of routes: read on first use, and anew when asked."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.reading import load
from gateway_project.routing.table import Table

logger = logging.getLogger("gateway.routes")

# Held while the file is read: who waits for it waits for that very table, and nobody else takes it.
_reading = threading.Lock()
_current: Table | None = None


def table() -> Table:
    """Return the table in force, the same object until a reload.

    Raises:
        BadRoutes: On first use, if the file is not right.
    """
    return _current or _first()


def reload() -> Table:
    """Read the file anew and return its table, which is in force from now on.

    Raises:
        BadRoutes: If the file is not right; it is logged, and the old table stays in force.
    """
    global _current  # noqa: PLW0603 - the process has one table
    with _reading:
        try:
            fresh = load(settings.GATEWAY_ROUTES)
        except BadRoutes as exc:
            # Its message says what was wrong and where; that of the stack would say nothing.
            logger.error("The routes stay as they are:\n%s", exc)  # noqa: TRY400
            raise
        _current = fresh
    logger.info("%d routes were read from %s.", len(fresh.routes), settings.GATEWAY_ROUTES)
    return fresh


def on_hangup() -> None:
    """Reload as SIGHUP asks for: there is nobody to raise to, and the log has what was wrong."""
    with suppress(BadRoutes):
        reload()


def _first() -> Table:
    global _current  # noqa: PLW0603
    with _reading:
        if _current is None:
            _current = load(settings.GATEWAY_ROUTES)
        return _current


def forget() -> None:
    """Drop the table; the next use reads the file anew."""
    global _current  # noqa: PLW0603
    with _reading:
        _current = None


@receiver(setting_changed)
def _follow(*, setting: str, **_: Any) -> None:
    """Drop the table when a test puts another file in the settings."""
    if setting == "GATEWAY_ROUTES":
        forget()
