"""The table of routes: which path asks the upstream for what, and how long the answer is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from django.http import QueryDict

from gateway_project.problems import ProblemError

MAX_VALUE_LENGTH = 32


class SymbolConverter:
    """A stock symbol in a path; letters count as capitals, so that each symbol has one key."""

    regex = r"[A-Za-z][A-Za-z0-9.\-]{0,11}"

    def to_python(self, value: str) -> str:
        """Return the symbol in capitals."""
        return value.upper()

    def to_url(self, value: str) -> str:
        """Return the symbol as it is."""
        return value


class DayConverter:
    """A day in a path; the upstream says what is wrong with one that is no date."""

    regex = r"[A-Za-z0-9\-]{1,32}"

    def to_python(self, value: str) -> str:
        """Return the text as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Return the text as it is."""
        return value


@dataclass(frozen=True, slots=True)
class Route:
    """One route of ``/api/v1/``.

    ``path`` is Django's pattern, ``upstream`` the path asked there, ``parameters`` the query
    parameters that count, ``timeout`` how long an answer is kept, in seconds.
    """

    name: str
    path: str
    upstream: str
    timeout: int
    parameters: tuple[str, ...] = ()
    whole_page: bool = False

    def target(self, captures: Mapping[str, Any], query: QueryDict) -> str:
        """Return what to ask the upstream: the normalised path and query parameters.

        Raises:
            ProblemError: If a query parameter is unknown, repeated or too long.
        """
        path = self.upstream.format_map({name: quote(text) for name, text in captures.items()})
        values = [(name, query[name]) for name in sorted(query) if self._checked(name, query)]
        return f"{path}?{urlencode(values)}" if values else path

    def key(self, target: str) -> str:
        """Return the cache key of a target."""
        return f"api:v1:{target}"

    def _checked(self, name: str, query: QueryDict) -> bool:
        if name not in self.parameters:
            allowed = ", ".join(self.parameters)
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                f"Unknown query parameter {name!r}; "
                + (f"allowed are {allowed}." if allowed else "none is allowed here."),
                parameter=name,
                allowed=list(self.parameters),
            )
        if len(query.getlist(name)) > 1:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, f"{name} is given twice; give it once.", parameter=name
            )
        if len(query[name]) > MAX_VALUE_LENGTH:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                f"{name} is longer than {MAX_VALUE_LENGTH} characters.",
                parameter=name,
            )
        return True


SYMBOLS = Route("symbols", "symbols", "/symbols", timeout=3600)
ROUTES = (
    SYMBOLS,
    Route(
        "series",
        "symbols/<symbol:symbol>/series",
        "/symbols/{symbol}/series",
        timeout=300,
        parameters=("from", "to"),
    ),
    Route(
        "day",
        "symbols/<symbol:symbol>/days/<day:day>",
        "/symbols/{symbol}/days/{day}",
        timeout=3600,
    ),
    Route(
        "summary",
        "symbols/<symbol:symbol>/summary",
        "/symbols/{symbol}/summary",
        timeout=60,
        parameters=("from", "to"),
        whole_page=True,
    ),
    Route("movers", "movers/<day:day>", "/movers/{day}", timeout=300),
)
