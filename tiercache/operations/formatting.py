"""Figures as text for people: pages and commands say the same number in the same words.

Texts are translated; figures keep the form that logs and commands have, in every language.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext, ngettext

NOTHING: Final = "\N{EN DASH}"
"""Stands for a figure that there is none of: nothing was counted, or Redis was not asked."""

_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHORT: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_LONG: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(number: int) -> str:
    """Return a count: "1,203"."""
    return f"{number:,}"


def size(octets: int) -> str:
    """Return a size in bytes, by powers of 1024: "64 MiB", "1.5 KiB"."""
    amount, unit = float(octets), 0
    while amount >= 1024 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{_three(amount)} {_SIZES[unit]}"


def share(ratio: float | None) -> str:
    """Return a share of one as a percentage: "97.3 %"; 100 % is said of all alone."""
    if ratio is None:
        return NOTHING
    # Rounding must not make all out of nearly all: those that are missing are what matters.
    shown = ratio if ratio in (0.0, 1.0) else min(max(round(ratio, 3), 0.001), 0.999)
    return f"{shown * 100:.1f} %" if shown < 1 else "100 %"


def latency(seconds: float | None) -> str:
    """Return a short time in the unit that suits it: "240 µs", "3.1 ms", "1.5 s"."""
    if seconds is None:
        return NOTHING
    for unit, name in _SHORT:
        if seconds >= unit:
            return f"{_three(seconds / unit)} {name}"
    return "0 s" if seconds <= 0 else "<1 ns"


def duration(seconds: float) -> str:
    """Return a time in its two largest units: "3 min 4 s", "2 d 5 h", "0 s"."""
    left = max(math.floor(seconds), 0)
    parts: list[str] = []
    for unit, name in _LONG:
        amount, left = divmod(left, unit)
        if amount or parts:
            parts.append(f"{amount} {name}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def rate(per_second: float) -> str:
    """Return how often something happens: "1,250/s", "0.4/s"."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{_three(per_second)}/s"


def moment(at: float, now: float) -> str:
    """Return a moment as the clock shows it: the time, with the date if that is another day.

    Args:
        at, now: seconds of Unix time.
    """
    then, today = _local(at), _local(now)
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def nodes(number: int) -> str:
    """Return a count of nodes in words."""
    return ngettext("%(count)s node", "%(count)s nodes", number) % {"count": count(number)}


def caches(number: int) -> str:
    """Return a count of caches in words."""
    return ngettext("%(count)s cache", "%(count)s caches", number) % {"count": count(number)}


def keys(number: int) -> str:
    """Return a count of keys in words."""
    return ngettext("%(count)s key", "%(count)s keys", number) % {"count": count(number)}


def of_limit(used: int, limit: int) -> str:
    """Return a size and what it is bounded by: "8.0 MiB of 64 MiB"; a limit of 0 is none."""
    if not limit:
        return gettext("%(used)s, no limit") % {"used": size(used)}
    return gettext("%(used)s of %(limit)s") % {"used": size(used), "limit": size(limit)}


def _three(amount: float) -> str:
    """Return a number with about three digits, and no zeros that say nothing."""
    if amount >= 100:
        return f"{amount:.0f}"
    return f"{amount:.1f}".removesuffix(".0") if amount >= 10 else f"{amount:.2g}"


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(timezone.get_current_timezone())
