"""Where the answer to a request lies in the cache, and the tags by which it is evicted."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from gateway_project.routing.patterns import Captures
from gateway_project.routing.table import Route
from gateway_project.serving.stored import Index
from tiercache.http import targets, vary
from tiercache.http.fields import Fields

LONGEST: Final = 100
"""Characters of an address that stand in a key as they are; a longer one stands there hashed.

With a prefix of 25 characters no key is longer than the 250 of which Django warns.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A key, and the tags of whatever is stored under it.

    Attributes:
        key: of the response, or of the index where there are variants.
        target: path and query for the upstream.
        tags: its address's, its route's, and those that the route names.
    """

    key: str
    target: str
    tags: tuple[str, ...]

    def variant(self, index: Index, asked: Fields) -> str:
        """Return the key of the variant for a request (RFC 9111, 4.1)."""
        return f"{self.key}|{index.token}|{_chosen(index.names, asked)}"


def place(
    route: Route,
    captures: Captures,
    query: targets.Pairs,
    asked: Fields,
    tenant: str | None = None,
) -> Place:
    """Return where the answer lies.

    No address can spell what stands behind it in a key: `#` and `|` are in no path and in no
    encoded query.

    Args:
        route, captures: what the path matched.
        query: the parameters that count.
        asked: the fields that the upstream is to see.
        tenant: whose answer it is, if it is not everybody's.
    """
    address = _address(route, captures, query)
    owner = "" if tenant is None else f"#{_hash(tenant)}"
    chosen = f"|{_chosen(route.vary, asked)}" if route.vary else ""
    shown = address if len(address) <= LONGEST else f"#{_hash(address)}"
    target = route.target(captures)
    return Place(
        key=f"http:{shown}{owner}{chosen}",
        target=f"{target}?{targets.encoded(query)}" if query else target,
        tags=(
            address_tag(route, captures, query),
            f"route:{route.name}",
            *(upstream_tag(name) for name in route.tags(captures)),
        ),
    )


def address_tag(route: Route, captures: Captures, query: targets.Pairs) -> str:
    """Return the tag of all that is stored for an address: each variant, each tenant's."""
    return f"url:{_hash(_address(route, captures, query))}"


def upstream_tag(name: str) -> str:
    """Return the tag for a name that the upstream or the route gives."""
    return f"tag:{name}"


def _address(route: Route, captures: Captures, query: targets.Pairs) -> str:
    path = route.key_path(captures)
    return f"{path}?{targets.encoded(query)}" if query else path


def _chosen(names: tuple[str, ...], asked: Fields) -> str:
    return vary.key(names, asked)[:32]


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
