"""What a user's type checker sees; `mypy` checks this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from django.http import HttpRequest, HttpResponse

from tiercache.decorators import cached, cached_view


@cached(timeout=60, tags=("symbol:{symbol}",))
def price(symbol: str, places: int = 2) -> float:
    return 1.0


@cached(timeout=60, key=lambda symbol: f"price:{symbol}")
async def aprice(symbol: str) -> float:
    return 1.0


class Shop:
    @cached(ignore=("self",))
    def rate(self, symbol: str) -> float:
        return 1.0

    @cached(key="{self.name}:{symbol}")
    async def arate(self, symbol: str) -> float:
        return 1.0

    @cached()
    @classmethod
    def name(cls, number: int) -> str:
        return ""

    @cached()
    @staticmethod
    def size(number: int) -> int:
        return 1


@cached_view(60, tags=("product:{pk}",))
def page(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse()


@cached_view(60)
async def apage(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def uses(request: HttpRequest) -> None:
    assert_type(price("EUR"), float)
    assert_type(price(symbol="EUR", places=3), float)
    assert_type(price.refresh("EUR"), float)
    assert_type(price.evict("EUR", places=2), bool)
    assert_type(price.key_for("EUR"), str)
    coming: Coroutine[Any, Any, float] = aprice("EUR")
    assert_type(await coming, float)
    assert_type(await aprice("EUR"), float)
    assert_type(await aprice.refresh("EUR"), float)
    assert_type(await aprice.evict("EUR"), bool)
    assert_type(aprice.key_for("EUR"), str)
    assert_type(Shop().rate("EUR"), float)
    assert_type(Shop().rate.evict("EUR"), bool)
    assert_type(Shop.rate.key_for(Shop(), "EUR"), str)
    assert_type(await Shop().arate("EUR"), float)
    assert_type(await Shop().arate.refresh(symbol="EUR"), float)
    assert_type(Shop().name(1), str)
    assert_type(Shop.size(1), int)
    assert_type(Shop.size.evict(number=1), bool)
    assert_type(page(request, pk=1), HttpResponse)
    assert_type(await apage(request), HttpResponse)

    # Each of these ignores would be an error if it were not needed.
    price(1)  # type: ignore[arg-type]
    price.evict()  # type: ignore[call-arg]
    price.evict("EUR", 2, 3)  # type: ignore[call-arg]
    price.refresh(places="2", symbol="EUR")  # type: ignore[arg-type]
    price.key_for(sign="EUR")  # type: ignore[call-arg]
    await aprice.evict(1)  # type: ignore[arg-type]
    Shop().rate(1)  # type: ignore[arg-type]
    Shop().rate.evict()  # type: ignore[call-arg]
    page(request, pk="1")  # type: ignore[arg-type]
    cached(60)  # type: ignore[call-arg]
    cached(timeout="60")  # type: ignore[arg-type]
