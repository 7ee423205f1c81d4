"""The options of a routes file and what each may be; what is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from gateway_project import environment
from gateway_project.routing import values
from gateway_project.routing.values import BadValue, Reader

_HOUR: Final = 3600


def _servers(value: object) -> tuple[str, ...]:
    """Read a list of addresses, or "$NAME": those that a variable of the environment has."""
    variable = variable_of(value)
    if variable is None:
        return values.servers(value)
    try:
        return environment.servers(variable)
    except ImproperlyConfigured as exc:
        raise BadValue(f"a variable that names servers ({exc})", value) from exc


def variable_of(value: object) -> str | None:
    """Return the name of the environment's variable that a value names, if it names one."""
    if not isinstance(value, str) or not value.startswith("$"):
        return None
    name = value.removeprefix("$")
    if not name.isidentifier() or not name.isascii():
        raise BadValue('a list of addresses, or a variable such as "$GATEWAY_UPSTREAMS"', value)
    return name


_above_zero: Final = values.number(0, _HOUR, above=True)
_up_to_a_year: Final = values.number(0, values.YEAR)

# What there may be, and the defaults, are those of `gateway_project.upstreams.options`.
POOL: Final[Mapping[str, Reader]] = {
    "servers": _servers,
    "timeout": _above_zero,
    "connect_timeout": _above_zero,
    "probe": values.path,
    "probe_every": _above_zero,
    "probe_all": values.flag,
    "back_off": _above_zero,
    "back_off_most": _above_zero,
    "failures": values.count(1, 1000),
    "policy": values.choice("first", "spread"),
    "http1": values.flag,
    "http2": values.flag,
    "host": values.host,
    "most_connections": values.count(1, 100_000),
    "keep_alive": values.number(0, _HOUR),
    "trust": values.text,
}

RULES: Final[Mapping[str, Reader]] = {
    "lifetime": _up_to_a_year,
    "stale_while_revalidate": _up_to_a_year,
    "stale_if_error": _up_to_a_year,
    "statuses": values.statuses,
    "store_anyway": values.overrides,
    "keep": _up_to_a_year,
    "obey_callers": values.flag,
}
"""The fields of `tiercache.http.rules.Rules`."""

QUERY: Final[Mapping[str, tuple[str, Reader]]] = {
    "query": ("names", values.texts),
    "ignore_query": ("ignored", values.texts),
    "unknown_query": ("unknown", values.choice("refuse", "drop")),
    "longest_query_value": ("longest", values.count(0, 8192)),
}
"""The fields of `QueryRules`, by the names of their options."""

PLAIN: Final[Mapping[str, Reader]] = {
    "methods": values.methods,
    "vary": values.headers,
    "pass_headers": lambda value: frozenset(values.headers(value)),
    "budget": _above_zero,
    "largest_request": values.size,
    "largest_stored": values.size,
    "requires_key": values.flag,
    "rate": values.rate,
    "tenant": values.choice("key"),
}
"""The fields of `Route` that stand by themselves."""

DEFAULTS: Final[Mapping[str, Reader]] = {
    "pool": values.name,
    "tags": values.texts,
    **RULES,
    **{name: reader for name, (_, reader) in QUERY.items()},
    **PLAIN,
}
"""What `[defaults]` may have: the options of a route, but for what makes it this one."""

ROUTE: Final[Mapping[str, Reader]] = {
    "name": values.name,
    "path": values.text,
    "target": values.text,
    **DEFAULTS,
}


def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options about queries by the names of the fields of `QueryRules`."""
    return {field: given[name] for name, (field, _) in QUERY.items() if name in given}
