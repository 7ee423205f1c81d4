"""`/set/key/5` and `/get/key`, and the same under `/async/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.urls import path

from tests.hosts.work import awork, work

if TYPE_CHECKING:
    from django.http import HttpRequest


def view(request: HttpRequest, operation: str, key: str, value: int | None = None) -> JsonResponse:
    return JsonResponse(work(operation, key, *([] if value is None else [value])))


async def aview(
    request: HttpRequest, operation: str, key: str, value: int | None = None
) -> JsonResponse:
    return JsonResponse(await awork(operation, key, *([] if value is None else [value])))


urlpatterns = [
    path("async/<operation>/<key>", aview),
    path("async/<operation>/<key>/<int:value>", aview),
    path("<operation>/<key>", view),
    path("<operation>/<key>/<int:value>", view),
]
