"""A node's report: what it tells of itself, as JSON, and how it is read again.

What is read may be another version's, or anybody's who may write to the server: it is checked, and
what is no report is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from .cluster import Node, Process, Top, Window
from .figures import STORE, Sections
from .mishaps import Mishap

FORMAT: Final = 1

LATE: Final = 3
"""A node that has not reported for so many of its intervals is gone."""

FORGOTTEN: Final = 600
"""Seconds after its last report after which a node is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Process):
    """What a node tells of itself and of all its store's caches.

    Attributes:
        at: when it was made, in seconds of the server's Unix time.
        interval: seconds between two of its reports.
        totals: counts since its start.
        recent, recent_seconds: counts of the last quarter of an hour, and how much of it there is.
        top: what was asked for most.
    """

    at: float
    interval: float
    totals: Sections
    recent: Sections
    recent_seconds: float
    top: Top

    def node(self, alias: str, *, seen: float, here: bool, excused: float = 0.0) -> Node:
        """Return what it says of one cache, `seen` seconds after it was told.

        For the last `excused` of them nobody could report.
        """
        age = self.at - self.started

        def window(sections: Sections, seconds: float) -> Window:
            calls, store = sections.get(alias, {}), sections.get(STORE, {})
            return Window(self.at, seconds, calls, store)

        same = {name: getattr(self, name) for name in Process.__dataclass_fields__}
        return Node(
            **same,
            seen=seen,
            here=here,
            gone=not self.ended and seen - excused > LATE * self.interval,
            totals=window(self.totals, age),
            recent=window(self.recent, self.recent_seconds),
        )


_FIELDS: Final = tuple(Report.__dataclass_fields__)
_NUMBERS: Final = ("started", "at", "interval", "state_since", "backplane_since", "recent_seconds")
_COUNTS: Final = ("pid", "entries", "bytes", "max_entries", "max_bytes", "joins", "journaled")
_TEXTS: Final = ("id", "host", "policy", "state", "reason", "backplane")


def written(report: Report) -> str:
    """Return a report as text."""
    plain: dict[str, Any] = {name: getattr(report, name) for name in _FIELDS}
    plain["top"] = {name: getattr(report.top, name) for name in Top.__dataclass_fields__}
    return json.dumps({"format": FORMAT, **plain}, separators=(",", ":"))


def read(text: bytes) -> Report | None:
    """Read a report; None if it is none, or of another format."""
    try:
        plain = json.loads(text)
        if not isinstance(plain, dict) or plain.pop("format", None) != FORMAT:
            return None
        return _report(plain)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, OverflowError):
        return None


def _report(plain: dict[str, Any]) -> Report:
    top = plain["top"]
    simple: dict[str, Any] = {name: _text(plain[name]) for name in _TEXTS}
    simple |= {name: float(plain[name]) for name in _NUMBERS}
    simple |= {name: int(plain[name]) for name in _COUNTS}
    return Report(
        **simple,
        ended=bool(plain["ended"]),
        versions=_texts(plain["versions"]),
        settings=_texts(plain["settings"]),
        errors=tuple(Mishap(float(at), _text(kind), _text(t)) for at, kind, t in plain["errors"]),
        totals=_sections(plain["totals"]),
        recent=_sections(plain["recent"]),
        top=Top(
            keys=tuple((_text(name), float(share)) for name, share in top["keys"]),
            namespaces=tuple((_text(name), float(share)) for name, share in top["namespaces"]),
            sampled=int(top["sampled"]),
            one_in=int(top["one_in"]),
            seconds=float(top["seconds"]),
        ),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: dict[Any, Any]) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in value.items()}


def _sections(value: dict[Any, Any]) -> Sections:
    return {
        _text(section): {_text(name): int(count) for name, count in figures.items()}
        for section, figures in value.items()
    }
