"""Counts by name, which can be added, subtracted and sent: all that nodes measure is of this form.

A cache's own are the counters of `stats.Calls`, a store's are what its nodes share. A histogram
is one count for each bucket, named "load.57". Counts are kept by section: an alias, or `STORE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Figures: TypeAlias = dict[str, int]
Sections: TypeAlias = dict[str, Figures]

STORE: Final = ""
"""The section of what the caches of one store share; no alias is empty."""

_BETWEEN: Final = "|"

# Whoever may write to the server may have put anything there, and so may another version.
_BUCKET: Final = re.compile(r"[0-9]{1,3}")


def difference(after: Sections, before: Sections) -> Sections:
    """Return by how much each count has grown, where it has."""
    grown = {
        section: {
            name: count - old
            for name, count in figures.items()
            if count != (old := before.get(section, {}).get(name, 0))
        }
        for section, figures in after.items()
    }
    return {section: figures for section, figures in grown.items() if figures}


def add(total: Sections, more: Mapping[str, Mapping[str, int]]) -> None:
    """Add counts to a total."""
    for section, figures in more.items():
        own = total.setdefault(section, {})
        for name, count in figures.items():
            own[name] = own.get(name, 0) + count


def total_of(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> Sections:
    """Return the sum of counts."""
    total: Sections = {}
    for part in parts:
        add(total, part)
    return total


def flat(sections: Sections) -> Figures:
    """Return all counts in one dictionary, by section and name."""
    return {
        f"{section}{_BETWEEN}{name}": count
        for section, figures in sections.items()
        for name, count in figures.items()
    }


def by_section(flattened: Mapping[str, int]) -> Sections:
    """Undo `flat`."""
    sections: Sections = {}
    for both, count in flattened.items():
        # No count's name has the separator in it; an alias may.
        section, _, name = both.rpartition(_BETWEEN)
        sections.setdefault(section, {})[name] = count
    return sections


def histogram(figures: Mapping[str, int], name: str) -> dict[int, int]:
    """Return the counts of a histogram, by bucket; what is named like them and is none is not."""
    head = f"{name}."
    buckets = ((key.removeprefix(head), n) for key, n in figures.items() if key.startswith(head))
    return {int(bucket): n for bucket, n in buckets if _BUCKET.fullmatch(bucket)}
