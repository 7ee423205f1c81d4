"""What the cache holds for an address: a response, what its variants are chosen by, or a mark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from gateway_project.serving.shown import passable
from tiercache.http import dates, vary
from tiercache.http.fields import Fields
from tiercache.http.storing import Storable

Packed: TypeAlias = tuple[Any, ...]
"""What is put into the cache: texts, numbers and bytes alone, so memory hands out its one copy."""

RESPONSE: Final = "response-1"
INDEX: Final = "index-1"
PASSED: Final = "passed-1"

BODY: Final = 5
GENERATED: Final = 6
"""Where these two stand in what `Stored.pack` returns."""

_NEVER_STORED: Final = frozenset({"age", "content-length", "set-cookie"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A response with the terms on which it is stored; durations in seconds.

    Attributes:
        status, fields, body: the response, without what concerns one connection or one caller.
        generated: when its origin made it, in seconds since the epoch: its age counts from there.
        lifetime, stale_while_revalidate, stale_if_error, revalidate_always, never_stale: as in
            `tiercache.http.storing.Storable`.
        vary: the names of the request's fields that it was chosen by.
        tags: the upstream's own.
        overdue: for how long it had been stale when it came in.
        variant: the secondary key of the request that it answers.
    """

    status: int
    fields: Fields
    body: bytes
    generated: float
    lifetime: float
    stale_while_revalidate: float
    stale_if_error: float
    revalidate_always: bool
    never_stale: bool
    vary: tuple[str, ...]
    tags: tuple[str, ...]
    overdue: float
    variant: str = ""

    @classmethod
    def of(
        cls,
        status: int,
        fields: Fields,
        body: bytes,
        terms: Storable,
        received: float,
        tags: tuple[str, ...],
    ) -> Stored:
        """Return a response as it is to be kept, with a Date (RFC 9110, 6.6.1) and its length."""
        kept = passable(fields).without(_NEVER_STORED)
        if "date" not in kept:
            kept = kept.replaced("date", dates.formatted(received))
        return cls(
            status=status,
            fields=kept.replaced("content-length", str(len(body))),
            body=body,
            generated=received - terms.age,
            lifetime=terms.lifetime,
            stale_while_revalidate=terms.stale_while_revalidate,
            stale_if_error=terms.stale_if_error,
            revalidate_always=terms.revalidate_always,
            never_stale=terms.never_stale,
            vary=terms.vary,
            tags=tags,
            overdue=max(0.0, terms.age - terms.lifetime),
        )

    def chosen_by(self, asked: Fields) -> Stored:
        """Return the response as the one for a request with these fields."""
        return replace(self, variant=vary.key(self.vary, asked))

    def renewed(self, fields: Fields, received: float) -> Stored:
        """Return the response with other fields, as of now, to be used once."""
        kept = fields.without(_NEVER_STORED).replaced("content-length", str(len(self.body)))
        return replace(self, fields=kept, generated=received, lifetime=0.0)

    def pack(self) -> Packed:
        """Return what the cache keeps."""
        return (
            RESPONSE,
            self.stale_while_revalidate,
            self.overdue,
            self.status,
            tuple(self.fields),
            self.body,
            self.generated,
            self.lifetime,
            self.stale_if_error,
            self.revalidate_always,
            self.never_stale,
            self.vary,
            self.variant,
            self.tags,
        )

    def fits(self, asked: Fields) -> bool:
        """Tell whether it may answer a request with these fields (RFC 9111, 4.1)."""
        return not self.vary or self.variant == vary.key(self.vary, asked)

    def age(self, now: float) -> int:
        """Return its age in whole seconds, by the clock (RFC 9111, 4.2.3)."""
        return max(0, int(now - self.generated))


def unpacked(packed: Packed) -> Stored:
    """Return what `Stored.pack` made."""
    _, refreshing, overdue, status, lines, body, generated, lifetime, failing, *rest = packed
    always, never, names, variant, tags = rest
    return Stored(
        status=status,
        fields=Fields(lines),
        body=body,
        generated=generated,
        lifetime=lifetime,
        stale_while_revalidate=refreshing,
        stale_if_error=failing,
        revalidate_always=always,
        never_stale=never,
        vary=names,
        tags=tags,
        overdue=overdue,
        variant=variant,
    )


def background(packed: Packed) -> float:
    """Return for how long a response is served at once after the cache holds it as stale."""
    seconds: float = packed[1] - packed[2]
    return max(seconds, 0.0)


@dataclass(frozen=True, slots=True)
class Index:
    """What an address's variants are chosen by.

    Attributes:
        names: of the request's fields.
        token: a part of the variants' keys, so that they are found by this index alone.
    """

    names: tuple[str, ...]
    token: str

    def pack(self) -> Packed:
        """Return what the cache keeps."""
        return (INDEX, float("inf"), 0.0, self.names, self.token)


def index_of(packed: Packed) -> Index | None:
    """Return the index that the cache holds, None if it holds something else."""
    return Index(packed[3], packed[4]) if packed[0] == INDEX else None


def passing(reason: str) -> Packed:
    """Return what is stored where a response must not be: callers ask for themselves meanwhile.

    So what cannot be stored is not waited for in turn ("hit for miss").
    """
    return (PASSED, 0.0, 0.0, reason)


def reason_of(packed: Packed) -> str:
    """Return what `passing` was told."""
    reason: str = packed[3]
    return reason
