"""Errors of ``/api/`` as ``application/problem+json`` (RFC 9457), wherever they arise."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults

from tiercache.http.fields import Fields

API = "/api/"
PROBLEM = "application/problem+json"


class ProblemError(Exception):
    """A request that is refused: the status, what was wrong, and further members.

    Attributes:
        fields: header fields that the answer has to bear.
    """

    def __init__(self, status: HTTPStatus, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members
        self.fields = Fields()


def respond(status: HTTPStatus, detail: str, **members: object) -> JsonResponse:
    """Return a problem document; it is never to be kept."""
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **members,
    }
    response = JsonResponse(document, status=status, content_type=PROBLEM)
    response["Cache-Control"] = "no-store"
    return response


class ProblemMiddleware:
    """Turn what the views of ``/api/`` raise, and their 405, into problem documents."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request, in the style of the next middleware."""
        if self._is_async:
            return self._acall(request)
        return _explained(request, self._get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        return _explained(request, await self._get_response(request))

    def process_exception(self, _request: HttpRequest, exc: Exception) -> HttpResponse | None:
        """Answer for a view that raised; None leaves the rest to Django."""
        if isinstance(exc, ProblemError):
            response = respond(exc.status, exc.detail, **exc.members)
            for name, value in exc.fields:
                response[name] = value
            return response
        return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses as malformed, a foreign Host header among others."""
    if not request.path.startswith(API):
        return defaults.bad_request(request, exception)
    return respond(HTTPStatus.BAD_REQUEST, "The request is malformed, or for another host.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if not request.path.startswith(API):
        return defaults.permission_denied(request, exception)
    return respond(HTTPStatus.FORBIDDEN, "This is not allowed.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that no route has."""
    if not request.path.startswith(API):
        return defaults.page_not_found(request, exception)
    return respond(
        HTTPStatus.NOT_FOUND, f"Nothing is at {request.path!r}; the front page lists the routes."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a mistake in the gateway itself; the log has it."""
    if not request.path.startswith(API):
        return defaults.server_error(request)
    return respond(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway made a mistake; its log says which."
    )


def _explained(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not isinstance(response, HttpResponseNotAllowed) or not request.path.startswith(API):
        return response
    allowed = response["Allow"]
    detail = f"{request.method} is not allowed here; allowed are {allowed}."
    explained = respond(HTTPStatus.METHOD_NOT_ALLOWED, detail)
    explained["Allow"] = allowed
    return explained
