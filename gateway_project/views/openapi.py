"""``/api/v1/openapi.json``: the gateway's OpenAPI 3.1 description, made of its routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from gateway_project.problems import PROBLEM
from gateway_project.routing import current
from gateway_project.routing.table import Route
from tiercache import __version__

_TEXT: Final = {"type": "string"}
_PROBLEMS: Final = {
    400: "The target, a field or a parameter is not what it may be.",
    404: "There is no such thing.",
    405: "The route does not take this method.",
    414: "The target is too long.",
    431: "The header fields are too large.",
    502: "No upstream server answered.",
    504: "No upstream server answered in time.",
}
_OF_KEYS: Final = {401: "A key is needed, or the key is not valid."}
_OF_RATES: Final = {429: "The limit is reached; Retry-After says for how long."}
_OF_BODIES: Final = {413: "The body is too large."}


@require_safe
async def document(_request: HttpRequest) -> HttpResponse:
    """Answer the description."""
    return JsonResponse(described(current.table().routes))


def described(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the description of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = {
            method.lower(): _operation(route, method)
            for method in sorted(route.methods)
            if method != "OPTIONS"
        }
        paths.setdefault(route.pattern.template, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tiercache gateway",
            "version": __version__,
            "description": "The routes of this gateway; see the upstreams for what they answer.",
        },
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}, "securitySchemes": _SCHEMES},
    }


def _operation(route: Route, method: str) -> dict[str, Any]:
    suffix = "" if method == "GET" else f"-{method.lower()}"
    problems = dict(_PROBLEMS)
    problems |= _OF_KEYS if route.requires_key else {}
    problems |= _OF_RATES if route.rate else {}
    operation: dict[str, Any] = {
        "operationId": f"{route.name}{suffix}",
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            **{str(status): _problem(text) for status, text in problems.items()},
            "200": {"description": "The upstream's answer.", "content": {"*/*": {}}},
        },
    }
    if method not in ("GET", "HEAD"):
        operation["requestBody"] = {"content": {"*/*": {}}}
        operation["responses"] |= {str(s): _problem(text) for s, text in _OF_BODIES.items()}
    if route.requires_key:
        operation["security"] = [{"bearer": []}, {"header": []}]
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}
        for name in route.pattern.names
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    longest = {**_TEXT, "maxLength": route.query.longest}
    return [
        {"name": name, "in": "query", "required": False, "schema": longest}
        for name in route.query.names or ()
    ]


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {PROBLEM: {"schema": schema}}}


_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
    },
    "examples": [
        {
            "type": "about:blank",
            "title": HTTPStatus.NOT_FOUND.phrase,
            "status": 404,
            "detail": "Nothing is at '/api/v1/nothing'.",
        }
    ],
}
_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
