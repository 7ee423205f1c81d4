"""What came of a warm-up: for people, and for machines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from gateway_project.warming.outcomes import Kind, Outcome
from gateway_project.warming.planning import Visit

SHOWN: Final = 5
"""Requests that failed of which the reason is told."""

MOST_REASONS: Final = 100
"""Different reasons that are counted; what comes with further ones is counted as "other"."""

_WORDS: Final[dict[Kind, str]] = {
    "there": "already there",
    "loaded": "loaded",
    "unstorable": "not storable",
    "failed": "failed",
    "unasked": "not asked",
}


class Summary:
    """Counts what comes of each request; nothing grows with their number."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._counts: Counter[Kind] = Counter()
        self._reasons: Counter[str] = Counter()
        self._failures: list[tuple[str, str]] = []

    def add(self, visit: Visit, outcome: Outcome) -> None:
        """Count a request."""
        self._counts[outcome.kind] += 1
        if outcome.kind == "unstorable":
            known = outcome.reason in self._reasons or len(self._reasons) < MOST_REASONS
            self._reasons[outcome.reason if known else "other"] += 1
        if outcome.kind in ("failed", "unasked") and len(self._failures) < SHOWN:
            self._failures.append((str(visit), outcome.reason))

    def __getitem__(self, kind: Kind) -> int:
        return self._counts[kind]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, in values that JSON has; `seconds` since this was made."""
        seconds = self._clock() - self._began
        asked = self._counts.total() - self._counts["unasked"]
        return {
            "asked": asked,
            "already_there": self._counts["there"],
            "loaded": self._counts["loaded"],
            "not_storable": self._counts["unstorable"],
            "reasons": dict(self._reasons.most_common()),
            "failed": self._counts["failed"],
            "not_asked": self._counts["unasked"],
            "failures": [{"url": url, "reason": reason} for url, reason in self._failures],
            "seconds": round(seconds, 3),
            "per_second": round(asked / seconds, 1) if seconds > 0 else 0.0,
        }

    def lines(self) -> Iterator[str]:
        """Yield what people read."""
        told = self.as_dict()
        yield f"{'asked':<14} {told['asked']}"
        for kind, words in _WORDS.items():
            if self._counts[kind] or kind in ("there", "loaded"):
                yield f"{words:<14} {self._counts[kind]}{self._why(kind)}"
        yield f"{'seconds':<14} {told['seconds']:.1f} ({told['per_second']:g} per second)"
        for url, reason in self._failures:
            yield f"  {url}: {reason}"
        hidden = self._counts["failed"] + self._counts["unasked"] - len(self._failures)
        if hidden:
            yield f"  and {hidden} more"

    def _why(self, kind: Kind) -> str:
        if kind != "unstorable":
            return ""
        told = ", ".join(f"{reason}: {count}" for reason, count in self._reasons.most_common())
        return f" ({told})"
