"""Template filters: figures, moments and keys as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..operations import formatting, sentences

register = template.Library()

for _filter in (
    formatting.count,
    formatting.size,
    formatting.share,
    formatting.latency,
    formatting.duration,
    formatting.rate,
    formatting.of_limit,
):
    register.filter(_filter.__name__, _filter)

register.filter("node_name", sentences.name)
register.filter("reason", sentences.reason)


@register.filter
def moment(at: float | datetime) -> SafeString:
    """Return a moment, of Unix time or a date's, as a `<time>` in the current time zone."""
    return _time(at, "DATE_FORMAT", "H:i:s")


@register.filter
def clock(at: float | datetime) -> SafeString:
    """Return the time of day of a moment as a `<time>` in the current time zone."""
    return _time(at, "", "H:i")


@register.filter
def readable(raw: bytes) -> str:
    """Return a full key as text; bytes that are not UTF-8 are written as escapes."""
    return raw.decode(errors="backslashreplace")


@register.filter
def printable(text: str) -> str:
    """Return a text in one line, with escapes for what cannot be seen."""
    return text if text.isprintable() else repr(text)[1:-1]


def _time(at: float | datetime, day: str, hour: str) -> SafeString:
    then = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    local = then.astimezone(timezone.get_current_timezone()) if then.tzinfo else then
    shown = " ".join(date_format(local, form) for form in (day, hour) if form)
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), shown)
