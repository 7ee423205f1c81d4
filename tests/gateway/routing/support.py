"""Small routes files for the tests."""

from __future__ import annotations

import json
from typing import Any

from gateway_project.routing.mistakes import BadRoutes
from gateway_project.routing.reading import read
from gateway_project.routing.table import Route, Table

POOL = '[pools.main]\nservers = ["http://127.0.0.1:9001"]\n'


def toml(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(name)} = {toml(one)}' for name, one in value.items())}}}"
    return repr(value) if isinstance(value, int | float) else value.isoformat()


def routes(*tables: dict[str, Any], defaults: dict[str, Any] | None = None) -> str:
    """Write a file of one pool and these routes, whose names are r0, r1 … unless they say one."""
    lines = [POOL, "[defaults]", *_options({"pool": "main", **(defaults or {})})]
    for number, table in enumerate(tables):
        lines += ["[[routes]]", *_options({"name": f"r{number}", **table})]
    return "\n".join(lines)


def table(*tables: dict[str, Any], **more: Any) -> Table:
    """Return the table of such a file."""
    return read(routes(*tables, **more))


def route(**given: Any) -> Route:
    """Return the one route of such a file."""
    return table({"path": "/", **given}).routes[0]


def mistakes(source: str) -> list[tuple[int, str]]:
    """Return the lines and texts of what is wrong with a file."""
    try:
        read(source)
    except BadRoutes as exc:
        return [(one.line, one.said) for one in exc.mistakes]
    return []


def _options(given: dict[str, Any]) -> list[str]:
    return [f"{toml(name)} = {toml(value)}" for name, value in given.items()]
