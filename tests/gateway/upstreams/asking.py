"""What tests ask a pool, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway_project.upstreams import Outgoing
from tiercache.http.fields import Fields

if TYPE_CHECKING:
    from gateway_project.upstreams import Pool

GET = Outgoing("GET", "/symbols?limit=5", Fields([("accept", "application/json")]))
POST = Outgoing("POST", "/orders", Fields([("content-type", "text/plain")]), b"buy")


@dataclass(frozen=True)
class Answered:
    status: int
    server: str
    body: bytes


async def ask(
    pool: Pool, outgoing: Outgoing = GET, *, budget: float = 5.0, retry: bool = True
) -> Answered:
    """Send a request and receive the whole response."""
    async with await pool.send(outgoing, budget=budget, retry=retry) as incoming:
        body = await incoming.read(2**20)
        assert body is not None
        return Answered(incoming.status, incoming.server, body)
