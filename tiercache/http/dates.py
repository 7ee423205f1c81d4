"""Dates of header fields: Date, Expires, Last-Modified (RFC 9110, 5.6.7)."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FULL_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

_DAY: Final = rf"(?:{'|'.join(_DAYS)})"
_FULL_DAY: Final = rf"(?:{'|'.join(_FULL_DAYS)})"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT",
        rf"{_FULL_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} (?P<year>[0-9]{{4}})",
    )
)
"""IMF-fixdate, and the obsolete forms of RFC 850 and of asctime."""


def parse(text: str, now: float) -> float | None:
    """Return the seconds since the epoch that a date names; None if it is not one.

    All three forms of RFC 9110, 5.6.7 are read, in capital and small letters alike (RFC 9111,
    4.2), and no zone but GMT. The day of the week need not be that of the date. A year of two
    digits is the latest one that is not more than 50 years after ``now`` (in seconds since the
    epoch).
    """
    for form in _FORMS:
        if match := form.fullmatch(text):
            month = _MONTH_NUMBERS[match["month"].lower()]
            day, hour, minute, second = map(int, match.group("day", "hour", "minute", "second"))
            year = int(match["year"])
            if len(match["year"]) == 2:
                year = _full_year(year, (month, day, hour, minute, second), now)
            return _seconds(year, month, day, hour, minute, second)
    return None


def formatted(seconds: float) -> str:
    """Return an instant as an IMF-fixdate, its fraction of a second cut off.

    Takes seconds since the epoch, from the year 1 to the year 9999.
    """
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )


def _full_year(digits: int, rest: tuple[int, ...], now: float) -> int:
    """Return the latest year with these last digits that is not more than 50 years ahead."""
    today = time.gmtime(now)
    latest = today.tm_year + 50
    year = latest - (latest - digits) % 100
    return year - 100 if year == latest and rest > today[1:6] else year


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    leap = second == 60  # which the grammar allows, and datetime does not
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() + leap
