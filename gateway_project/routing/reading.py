"""A TOML file becomes a table, or every mistake that it has is told.

The file has `[pools.NAME]` tables, `[defaults]` with options of routes, and `[[routes]]`; the
options are those of `options`. docs/gateway.md describes them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway_project.routing import options, values
from gateway_project.routing.entries import Defaults, Entry
from gateway_project.routing.mistakes import BadRoutes, Mistake, Mistakes
from gateway_project.routing.patterns import Parts
from gateway_project.routing.places import Place, Places
from gateway_project.routing.table import PoolEntry, Route, Table
from gateway_project.routing.values import BadValue
from gateway_project.upstreams.options import PoolOptions

_TABLES: Final = ("pools", "defaults", "routes")
_UNSET: Final = ("http://unset",)
_LINE: Final = re.compile(r"at line (\d+)")


def load(file: Path) -> Table:
    """Return the table of a file.

    Raises:
        BadRoutes: If it cannot be read, or anything is wrong with it.
    """
    try:
        source = file.read_text(encoding="utf-8")
    except OSError as exc:
        raise BadRoutes(str(file), [Mistake(1, f"cannot be read: {exc.strerror}.")]) from exc
    except UnicodeDecodeError as exc:
        said = f"must be UTF-8; the byte at offset {exc.start} is not."
        raise BadRoutes(str(file), [Mistake(1, said)]) from exc
    return read(source, str(file))


def read(source: str, file: str = "routes.toml") -> Table:
    """Return the table of a TOML text.

    Args:
        file: what the messages call it; other files that it names are looked for beside it.

    Raises:
        BadRoutes: If anything is wrong with it.
    """
    document = _parsed(source, file)
    mistakes = Mistakes(Places(source))
    for name in document:
        if name not in _TABLES:
            mistakes.unknown(name, _TABLES, (name,), "")
    pools = _pools(document, mistakes, Path(file).parent)
    routes = _routes(document, pools, mistakes)
    mistakes.check(file)
    return Table(tuple(routes), {entry.name: entry for entry in pools.values() if entry})


def _parsed(source: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except (ValueError, RecursionError) as exc:
        # Beside its own error tomllib lets through that of a number with thousands of digits.
        found = _LINE.search(str(exc))
        said = f"is not TOML: {exc}"
        raise BadRoutes(file, [Mistake(int(found[1]) if found else 1, said)]) from exc


def _pools(
    document: Mapping[str, Any], mistakes: Mistakes, folder: Path
) -> dict[str, PoolEntry | None]:
    """Return all pools by name: None for those that have mistakes, so that routes may name them."""
    pools: dict[str, PoolEntry | None] = {}
    for name, given in mistakes.table(document.get("pools", {}), ("pools",), "pools").items():
        pools[name] = _pool(name, given, mistakes, folder)
    if not pools:
        mistakes.add(("pools",), "", "there must be a pool: a table such as [pools.main]")
    return pools


def _pool(name: str, given: object, mistakes: Mistakes, folder: Path) -> PoolEntry | None:
    place, where = ("pools", name), f"pool {name[:64]!r}"
    table = mistakes.table(given, place, where)
    try:
        values.name(name)
    except BadValue as exc:
        mistakes.add(place, where, f"its name {exc}")
    read = mistakes.options(table, options.POOL, place, where)
    if "servers" not in table:
        mistakes.add(place, where, "must have servers")
    if "trust" in read:
        read["trust"] = _readable(folder / read["trust"], mistakes, (*place, "trust"), where)
    if not (read.get("http1", True) or read.get("http2", True)):
        mistakes.add((*place, "http1"), where, "http1 and http2 cannot both be false")
    if read.get("back_off_most", values.YEAR) < read.get("back_off", 0):
        said = "back_off_most must be at least as long as back_off"
        mistakes.add((*place, "back_off_most"), where, said)
    servers = read.pop("servers", None)
    if servers is None or mistakes:
        return None
    try:
        PoolOptions(servers=servers or _UNSET, **read)
    except ValueError as exc:  # what no option shows by itself, such as one server twice
        mistakes.add((*place, "servers"), where, str(exc).rstrip("."))
    return PoolEntry(
        name, servers, tuple(sorted(read.items())), options.variable_of(table["servers"])
    )


def _readable(file: Path, mistakes: Mistakes, place: Place, where: str) -> Path:
    try:
        with file.open("rb"):
            pass
    except OSError as exc:
        mistakes.add(place, where, f"trust must be a file of certificates; {file}: {exc.strerror}")
    return file


def _routes(document: Mapping[str, Any], pools: Collection[str], mistakes: Mistakes) -> list[Route]:
    """Return the routes that are right, in their order."""
    defaults = Defaults.of(document, mistakes)
    listed = document.get("routes", [])
    if not isinstance(listed, list) or not listed:
        mistakes.add(("routes",), "", "there must be routes: tables under [[routes]]")
        return []
    entries = [Entry(number, one, defaults, mistakes) for number, one in enumerate(listed)]
    _check_names(entries)
    made = [(entry, entry.route(pools)) for entry in entries]
    routes = [(entry, route) for entry, route in made if route]
    _check_reachable(routes)
    return [route for _, route in routes]


def _check_names(entries: Iterable[Entry]) -> None:
    seen: set[object] = set()
    for entry in entries:
        name = entry.given.get("name")
        if isinstance(name, str) and name in seen:
            entry.wrong("name", "another route has this name already")
        seen.add(str(name))


def _check_reachable(routes: Iterable[tuple[Entry, Route]]) -> None:
    """Find routes that others before them leave nothing to.

    A pattern covers no other unless its texts before the first capture begin the other's.
    """
    seen: dict[Parts, list[Route]] = {}
    for entry, route in routes:
        prefix = route.pattern.prefix
        likely = (one for end in range(len(prefix) + 1) for one in seen.get(prefix[:end], ()))
        before = [one for one in likely if one.pattern.covers(route.pattern)]
        taken = frozenset[str]().union(*(one.methods for one in before))
        if before and route.methods <= taken:
            names = ", ".join(repr(one.name) for one in before)
            entry.wrong("path", f"can never be reached: {names} before it takes all that it could")
        seen.setdefault(prefix, []).append(route)
