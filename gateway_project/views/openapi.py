"""``/api/v1/openapi.json``: the gateway's OpenAPI 3.1 description, made from its routes."""

from __future__ import annotations

import re
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from gateway_project.routing import current
from gateway_project.routing.patterns import Pattern, Segment
from gateway_project.routing.table import Route
from gateway_project.views.described import COMPONENTS, OWN, SECURITY, refused
from tiercache import __version__

METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}  # no others have a place
)
_NAME: Final = re.compile(r"\(\?P<\w+>")
_BODYLESS: Final = frozenset({"GET", "HEAD", "TRACE"})
_REFUSALS: Final = (400, 404, 405, 414, 431, 502, 503, 504, 508)


@require_safe
async def document(_request: HttpRequest) -> HttpResponse:
    """Answer the description."""
    return JsonResponse(described(current.table().routes))


def described(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the description of these routes, and of the gateway's own addresses."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(route.pattern.template, {})
        for method in sorted(route.methods & METHODS):
            # The first route that has the path and the method answers.
            operations.setdefault(method.lower(), _operation(route, method))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tiercache gateway",
            "version": __version__,
            "description": "The routes of this gateway, and what it has itself. What a route "
            "answers is its upstream's to describe.",
        },
        "paths": paths | OWN,
        "components": COMPONENTS,
    }


def _operation(route: Route, method: str) -> dict[str, Any]:
    suffix = "" if method == "GET" else f"-{method.lower()}"
    operation: dict[str, Any] = {
        "operationId": f"{route.name}{suffix}",
        "tags": ["routes"],
        "parameters": [*_path_parameters(route.pattern), *_query_parameters(route)],
        "responses": {
            "200": {
                "description": "The upstream's answer.",
                "headers": {"Cache-Status": {"$ref": "#/components/headers/Cache-Status"}},
                "content": {"*/*": {}},
            },
            "default": {"description": "The upstream's answer.", "content": {"*/*": {}}},
            **refused(*_refusals(route, method), also={"*/*": {}}),
        },
    }
    if method not in _BODYLESS:
        operation["requestBody"] = {"content": {"*/*": {}}}
    if route.requires_key:
        operation["security"] = SECURITY
    return operation


def _refusals(route: Route, method: str) -> list[int]:
    of_keys = (401,) if route.requires_key or route.rate or route.tenant else ()
    of_rates = (429,) if route.rate else ()
    of_bodies = () if method in _BODYLESS else (413,)
    return sorted([*_REFUSALS, *of_keys, *of_rates, *of_bodies])


def _path_parameters(pattern: Pattern) -> list[dict[str, Any]]:
    texts = pattern.template.split("/")[1:]
    conditions = dict(map(_condition, texts[: len(pattern.segments)], pattern.segments))
    rest = {pattern.tail: {"description": "All that is left of the path, slashes too."}}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, **conditions.get(f"{{{name}}}", {})},
            **rest.get(name, {}),
        }
        for name in pattern.names
    ]


def _condition(text: str, segment: Segment) -> tuple[str, dict[str, str]]:
    """Return a segment as the template has it, and the condition of a capture that is all of it."""
    if segment.regex is None or segment.free:
        return text, {}
    return text, {"pattern": f"^{_NAME.sub('(?:', segment.regex.pattern, count=1)}$"}


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "maxLength": route.query.longest}
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name in route.query.names or ()
    ]
