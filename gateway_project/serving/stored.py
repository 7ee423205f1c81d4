"""A response as the cache holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tiercache.http import vary
from tiercache.http.fields import Fields
from tiercache.http.storing import Storable

Packed: TypeAlias = tuple[Any, ...]
"""What is put into the cache: texts, numbers and bytes alone, so memory hands out its one copy."""

RESPONSE: Final = "response-1"
PASSED: Final = "passed-1"

BODY: Final = 5
GENERATED: Final = 6
"""Where these two stand in what `Stored.pack` returns."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A response with the terms on which it was stored; durations in seconds.

    Attributes:
        status, fields, body: the response, without what concerns one connection or one caller.
        generated: when its origin made it, in seconds since the epoch: its age counts from there.
        lifetime, stale_while_revalidate, stale_if_error, revalidate_always, never_stale: as in
            `tiercache.http.storing.Storable`.
        vary: the names of the request's fields that it was chosen by.
        variant: the secondary key of the request that it answers.
        tags: the upstream's own.
        overdue: for how long it had been stale when it came in.
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
    variant: str
    tags: tuple[str, ...]
    overdue: float = 0.0

    @classmethod
    def of(
        cls,
        status: int,
        fields: Fields,
        body: bytes,
        *,
        terms: Storable,
        received: float,
        asked: Fields,
        tags: tuple[str, ...],
    ) -> Stored:
        """Return a response that came in just now, in answer to these fields."""
        return cls(
            status=status,
            fields=fields,
            body=body,
            generated=received - terms.age,
            lifetime=terms.lifetime,
            stale_while_revalidate=terms.stale_while_revalidate,
            stale_if_error=terms.stale_if_error,
            revalidate_always=terms.revalidate_always,
            never_stale=terms.never_stale,
            vary=terms.vary,
            variant=vary.key(terms.vary, asked),
            tags=tags,
            overdue=max(0.0, terms.age - terms.lifetime),
        )

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
        variant=variant,
        tags=tags,
        overdue=overdue,
    )


def background(packed: Packed) -> float:
    """Return for how long a response is served at once after the cache holds it as stale."""
    seconds: float = packed[1] - packed[2]
    return max(seconds, 0.0)


def reason_of(packed: Packed) -> str:
    """Return what `passing` was told."""
    reason: str = packed[3]
    return reason


def passing(reason: str) -> Packed:
    """Return what is stored where a response must not be: callers ask for themselves meanwhile.

    So what cannot be stored is not waited for in turn ("hit for miss").
    """
    return (PASSED, 0.0, 0.0, reason)
