"""The overview as plain text for a terminal, eighty columns wide or more."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from django.utils.translation import gettext, gettext_lazy

from ..reports.cluster import Node, View, Window
from . import formatting, sentences

Look: TypeAlias = Literal["good", "warning", "bad", "title", "faint"]
Paint: TypeAlias = Callable[[Look, str], str]

BAR: Final = {"memory": "█", "redis": "▓", "stale": "▒", "loaded": "░", "miss": "·", "error": "!"}
"""How each tier is drawn, told apart without colours."""

TIERS: Final = {
    "memory": gettext_lazy("memory"),
    "redis": gettext_lazy("Redis"),
    "stale": gettext_lazy("stale"),
    "loaded": gettext_lazy("loaded"),
    "miss": gettext_lazy("missed"),
    "error": gettext_lazy("failed"),
}
"""What became of look-ups, in words."""

_TIMED: Final = {
    "memory": gettext_lazy("memory"),
    "read": gettext_lazy("Redis read"),
    "write": gettext_lazy("Redis write"),
    "load": gettext_lazy("load"),
    "lag": gettext_lazy("lag"),
}
_INDENT: Final = "  "
_LABEL: Final = 12


def overview(views: Sequence[View], *, width: int, paint: Paint) -> str:
    """Return the sentence, then what there is to say of each cache.

    Args:
        views: the caches.
        width: columns of the terminal; the bar fits in, tables are as wide as they have to be.
        paint: gives a text its look.
    """
    said = sentences.status(views)
    parts = [paint(said.level, textwrap.fill(said.text, max(width, 40)))]
    parts += ["\n".join(of_cache(view, width=width, paint=paint)) for view in views]
    return "\n\n".join(parts)


def of_cache(view: View, *, width: int, paint: Paint) -> Iterator[str]:
    """Yield the lines of one cache."""
    at = formatting.moment(view.at, view.at)
    yield f"{paint('title', view.alias)}  {paint('faint', f'{view.store}  {at}')}"
    if view.alone:
        yield _INDENT + gettext(
            "No Redis: each process knows its own figures, and this one has made no calls."
        )
        return
    window = view.windows["15m"]
    yield _line(gettext("Hit ratio"), _ratios(view))
    yield _line(gettext("Look-ups"), _look_ups(window))
    room = width - len(_INDENT) - _LABEL
    for line in (bar(window, room), *legend(window, room)):
        yield _line("", line)
    for number, text in enumerate(_timings(window)):
        yield _line("p50/95/99" if not number else "", text)
    yield _line(gettext("Memory"), _memory(view.running))
    yield _line("Redis", _server(view))
    yield from _nodes(view, paint)


def bar(window: Window, width: int) -> str:
    """Return what became of look-ups as a bar; whatever there was of is at least one character."""
    tiers = {tier: count for tier, count in window.tiers.items() if count > 0}
    total = sum(tiers.values())
    if not total:
        return formatting.NOTHING
    room = max(width, len(tiers))
    lengths = {tier: max(round(room * count / total), 1) for tier, count in tiers.items()}
    # Rounding has given or taken some; the longest part can spare it.
    longest = max(lengths, key=lambda tier: lengths[tier])
    lengths[longest] += room - sum(lengths.values())
    return "".join(BAR[tier] * length for tier, length in lengths.items())


def legend(window: Window, width: int) -> list[str]:
    """Return the parts of the bar with their shares, on as many lines as they need."""
    lines: list[str] = []
    for tier, count in window.tiers.items():
        if count <= 0:
            continue
        part = f"{BAR[tier]} {TIERS[tier]} {formatting.share(count / window.requests)}"
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines


def _ratios(view: View) -> str:
    shares = {name: formatting.share(window.ratio) for name, window in view.windows.items()}
    return gettext("%(main)s in 15 min (1 min %(short)s, 24 h %(long)s)") % {
        "main": shares["15m"],
        "short": shares["1m"],
        "long": shares["24h"],
    }


def _look_ups(window: Window) -> str:
    return f"{formatting.count(window.requests)}, {formatting.rate(window.per_second)}"


def _timings(window: Window) -> Iterator[str]:
    for measured, called in _TIMED.items():
        times = [formatting.latency(window.quantile(measured, s)) for s in (0.5, 0.95, 0.99)]
        if set(times) != {formatting.NOTHING}:
            yield f"{called!s:<12}" + "".join(f"{time:>10}" for time in times)


def _memory(nodes: Sequence[Node]) -> str:
    octets = formatting.of_limit(sum(n.bytes for n in nodes), sum(n.max_bytes for n in nodes))
    entries = gettext("%(entries)s of %(most)s entries") % {
        "entries": formatting.count(sum(n.entries for n in nodes)),
        "most": formatting.count(sum(n.max_entries for n in nodes)),
    }
    return f"{octets}, {entries}"


def _server(view: View) -> str:
    if sentences.is_away(view):
        return sentences.reason(view.reason)
    server = view.server
    if server is None or "INFO" in server.missing:
        return gettext("up; this user may not ask for more (INFO)")
    return ", ".join(
        [
            f"{server.product} {server.version}",
            formatting.of_limit(server.used, server.limit),
            formatting.keys(server.keys),
            server.policy,
        ]
    )


def _nodes(view: View, paint: Paint) -> Iterator[str]:
    if not view.nodes:
        yield _line(gettext("Nodes"), gettext("none has reported"))
        return
    heads = [gettext(head) for head in ("Node", "Up for", "Entries", "Bytes", "Ratio", "Hears")]
    rows = [_row(node) for node in view.nodes]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    yield _INDENT + paint("faint", _aligned(heads, widths))
    for node, row in zip(view.nodes, rows, strict=True):
        wrong = sentences.concern(node, view)
        line = _aligned(row, widths)
        yield _INDENT + (paint("warning", line) if wrong else line)


def _row(node: Node) -> list[str]:
    return [
        sentences.name(node),
        formatting.duration(node.up_for),
        formatting.count(node.entries),
        formatting.size(node.bytes),
        formatting.share(node.recent.ratio),
        _hears(node),
    ]


def _hears(node: Node) -> str:
    if node.ended:
        return gettext("ended")
    if node.gone:
        return gettext("gone for %(time)s") % {"time": formatting.duration(node.seen)}
    heard = {"joined": gettext("yes"), "lost": gettext("no"), "none": formatting.NOTHING}
    return heard.get(node.backplane, node.backplane)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    name = f"{first[0]:<{first[1]}}"
    return "  ".join([name, *(f"{cell:>{width}}" for cell, width in others)])


def _line(label: str, text: str) -> str:
    return f"{_INDENT}{label:<{_LABEL}}{text}"
