"""Where the addresses come from: a list, a sitemap, or what the workers were asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gateway_project.serving import popular
from gateway_project.warming import lists, sitemaps
from gateway_project.warming.lists import BadSource, Line, Mistake
from tiercache.exceptions import RedisAway

STANDARD_INPUT = "-"


def read(options: dict[str, Any]) -> tuple[list[Line], list[Mistake]]:
    """Return the addresses that the command's options name, and the lines that are none.

    Raises:
        BadSource: none of them names any, or more than one does, or it cannot be read.
    """
    given = [name for name in ("list", "sitemap", "top") if options[name] is not None]
    if len(given) != 1:
        raise BadSource("Name one of these: a LIST (- for standard input), --sitemap, --top.")
    if options["top"] is not None:
        return _popular(options["top"]), []
    if options["sitemap"] is not None:
        return sitemaps.read(Path(options["sitemap"]))
    if options["list"] == STANDARD_INPUT:
        place = "standard input"
        return lists.addresses(lists.bounded(sys.stdin.buffer, place), place)
    return lists.addresses(lists.content(Path(options["list"])), options["list"])


def journal(options: dict[str, Any]) -> Path | None:
    """Return where the run's journal is: beside the list, unless told otherwise.

    What comes from standard input or from the workers is another one each time, so there is none.
    """
    if options["state"] is not None:
        return Path(options["state"])
    name = options["sitemap"] or options["list"]
    return None if name in (None, STANDARD_INPUT) else Path(f"{name}.warm-state")


def _popular(most: int) -> list[Line]:
    try:
        asked = popular.most_asked(most)
    except RedisAway as exc:
        raise BadSource(
            f"Redis is away ({exc.kind}), which has what the workers were asked for."
        ) from exc
    if not asked:
        raise BadSource(
            "No worker has told Redis what it was asked for, or Redis does not answer. Workers do "
            f"so every {popular.EVERY:g} s, and it is kept for {popular.LIFE / 60:g} minutes."
        )
    return [Line("rank", rank, target) for rank, (target, _) in enumerate(asked, start=1)]
