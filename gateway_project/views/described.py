"""The gateway's own addresses, as its OpenAPI description has them, and the parts it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway_project.problems import PROBLEM
from gateway_project.views import purge
from gateway_project.views.watchlist import SymbolConverter

Json = dict[str, Any]

SECURITY: Final[list[Json]] = [{"bearer": []}, {"header": []}]

_WHY: Final = {
    400: "The target, a field, a parameter or the body is not what it may be.",
    401: "A key is needed, or the key is not valid.",
    403: "This key may not do this.",
    404: "There is no such thing.",
    405: "This method is not taken here.",
    413: "The body is too large.",
    414: "The target is too long.",
    429: "The limit is reached.",
    431: "The header fields are too large.",
    502: "No upstream server answered.",
    503: "Keys cannot be checked now.",
    504: "No upstream server answered in time.",
    508: "The request goes in a circle.",
}
_FIELDS: Final = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After", "RateLimit")}
_TEXT: Final[Json] = {"type": "string", "minLength": 1}
_SYMBOLS: Final[Json] = {
    "type": "object",
    "required": ["symbols"],
    "properties": {"symbols": {"type": "array", "items": {"$ref": "#/components/schemas/Symbol"}}},
}


def refused(*statuses: int, also: Mapping[str, Any] | None = None) -> Json:
    """Return the responses of refusals: problem documents.

    Args:
        statuses: which there are.
        also: contents that they may have besides, where an upstream may refuse as well.
    """
    return {str(status): _refusal(status, also or {}) for status in statuses}


def _refusal(status: int, also: Mapping[str, Any]) -> Json:
    schema = "Problem" if also else "OwnProblem"
    response: Json = {
        "description": _WHY[status],
        "content": {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{schema}"}}, **also},
    }
    if status in _FIELDS:
        names = _FIELDS[status]
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return response


def _header(description: str, *, required: bool = False) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string"}}


def _read(name: str, summary: str, schema: Json, *, is_page: bool = False) -> Json:
    """Return the operations of an address that is read with GET and HEAD."""
    # Errors beyond the API are Django's pages.
    refusals: Json = {"405": {"description": _WHY[405]}} if is_page else refused(400, 405)
    told = {
        "summary": summary,
        "tags": ["gateway"],
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
            **refusals,
        },
    }
    return {"get": {"operationId": name, **told}, "head": {"operationId": f"{name}-head", **told}}


def _change(name: str, summary: str, *statuses: int) -> Json:
    """Return an operation that changes the caller's watchlist."""
    content = {"application/json": {"schema": _SYMBOLS}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["gateway"],
        "responses": {
            "200": {"description": "The watchlist as it is now.", "content": content},
            **refused(400, 404, 405, *statuses),
        },
    }


_NAMES: Final[Json] = {"type": "array", "items": _TEXT, "maxItems": purge.MOST}
_PURGE: Final[Json] = {
    "operationId": "purge",
    "summary": "Evict what is stored for addresses, and what bears tags.",
    "tags": ["gateway"],
    "security": SECURITY,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "urls": {**_NAMES, "description": "Paths with their queries, or URLs."},
                        "tags": {**_NAMES, "description": "Of routes or of upstreams' answers."},
                        "soft": {"type": "boolean", "default": False},
                    },
                    "additionalProperties": False,
                },
                "example": {"tags": ["symbol:IBM"], "soft": True},
            }
        },
    },
    "responses": {
        "200": {
            "description": "They are evicted, in every process.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["soft", "purged", "unknown"],
                        "properties": {
                            "soft": {"type": "boolean"},
                            "purged": {"type": "array", "items": _TEXT},
                            "unknown": {"type": "array", "items": _TEXT},
                        },
                        "additionalProperties": False,
                    }
                }
            },
        },
        **refused(400, 401, 403, 405, 413, 503),
    },
}

OWN: Final[Json] = {
    "/api/v1/purge": {"post": _PURGE},
    "/api/v1/stats": _read(
        "stats", "What one worker counted.", {"$ref": "#/components/schemas/Stats"}
    ),
    "/api/v1/openapi.json": _read("openapi", "This description.", {"type": "object"}),
    "/api/v1/watchlist": _read("watchlist", "The watchlist of the caller's session.", _SYMBOLS),
    "/api/v1/watchlist/{symbol}": {
        "parameters": [
            {
                "name": "symbol",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": f"^{SymbolConverter.regex}$"},
            }
        ],
        "put": _change("watch", "Put a symbol on the watchlist.", 502),
        "delete": _change("unwatch", "Take a symbol off the watchlist."),
    },
    "/healthz": _read(
        "healthz",
        "That this worker is alive.",
        {
            "type": "object",
            "required": ["status", "pid"],
            "properties": {"status": {"const": "ok"}, "pid": {"type": "integer"}},
        },
        is_page=True,
    ),
}
"""The addresses that the gateway answers itself, by their paths."""

_PROBLEM: Final[Json] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 100, "maximum": 599},
        "detail": {"type": "string"},
    },
}
_SERVER: Final[Json] = {
    "type": "object",
    "required": ["number", "state", "failures", "next_try"],
    "properties": {
        "number": {"type": "integer", "minimum": 1},
        "state": {"enum": ["healthy", "suspect", "sick"]},
        "failures": {"type": "integer", "minimum": 0},
        "next_try": {"type": ["number", "null"]},
    },
}
COMPONENTS: Final[Json] = {
    "schemas": {
        "Problem": _PROBLEM,
        "OwnProblem": {
            "allOf": [{"$ref": "#/components/schemas/Problem"}],
            "required": ["type", "title", "status", "detail"],
        },
        "Symbol": {"type": "string", "pattern": "^[A-Z][A-Z0-9.-]{0,11}$"},
        "Stats": {
            "type": "object",
            "required": ["pid", "state", "memory_hits", "redis_hits", "misses", "pools"],
            "properties": {
                "pid": {"type": "integer"},
                "state": {"type": "string"},
                "memory_hits": {"type": "integer", "minimum": 0},
                "redis_hits": {"type": "integer", "minimum": 0},
                "misses": {"type": "integer", "minimum": 0},
                "pools": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": _SERVER},
                },
            },
        },
    },
    "headers": {
        "Allow": _header("The methods that are taken (RFC 9110, 10.2.1).", required=True),
        "Cache-Status": _header("How the answer was found (RFC 9211)."),
        "RateLimit": _header("What is left of the limit, and for how long."),
        "Retry-After": _header("Seconds until it is worth trying again (RFC 9110, 10.2.3)."),
        "WWW-Authenticate": _header("How to offer a key (RFC 9110, 11.6.1).", required=True),
    },
    "securitySchemes": {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    },
}
"""What the description refers to."""
