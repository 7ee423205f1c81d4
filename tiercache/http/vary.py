"""Which of the responses of one address a request gets: its secondary key (RFC 9111, 4.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final

from tiercache.http.fields import Fields, members

Normaliser = Callable[[str], str]
"""Gives values that mean the same the same text; what it gives, it gives again for that."""

CODINGS: Final = ("br", "gzip", "zstd")
"""Content codings that are told apart; a request is sent on with these alone."""

_ALIASES: Final = {"x-gzip": "gzip"}  # RFC 9110, 8.4.1.3

_CODING: Final = re.compile(
    r"([^\s;,]+)(?:[ \t]*;[ \t]*[qQ]=(?:(0(?:\.0{0,3})?)|0\.[0-9]{1,3}|1(?:\.0{0,3})?))?"
)


def folded(value: str) -> str:
    """Return a list without its empty members, and without white space around its commas."""
    return ",".join(members(value))


def languages(value: str) -> str:
    """Return an Accept-Language in lower case (RFC 4647, 2), folded, in its order.

    The order stays, because servers make it a preference.
    """
    return folded(value).lower()


def codings(value: str) -> str:
    """Return an Accept-Encoding reduced to the codings of `CODINGS` that it accepts.

    They are sorted; preferences are left out, for each of them is acceptable. `identity` stands
    alone if nothing else is accepted, and as `identity;q=0` if a plain response is refused
    (RFC 9110, 12.5.3). A member that is malformed counts nothing.
    """
    accepts = {}
    for member in members(value):
        if match := _CODING.fullmatch(member):
            coding = match[1].lower()
            accepts[_ALIASES.get(coding, coding)] = match[2] is None
    by_default = accepts.get("*", False)
    found = [coding for coding in CODINGS if accepts.get(coding, by_default)]
    if not accepts.get("identity", accepts.get("*", True)):
        found.append("identity;q=0")
    return ", ".join(found) or "identity"


NORMALISERS: Final[Mapping[str, Normaliser]] = {
    "accept-encoding": codings,
    "accept-language": languages,
}
"""How the values of fields are made alike; those of all others are folded."""


def sent(asked: Fields, normalisers: Mapping[str, Normaliser] = NORMALISERS) -> Fields:
    """Return a request's fields as an upstream is to see them: these ones normalised.

    An upstream must not choose by what the key leaves out: asked for deflate or gzip, it would
    answer deflate, and a caller with the same key but without deflate would get it.
    """
    for name, normalise in normalisers.items():
        if (value := asked.get(name)) is not None:
            asked = asked.replaced(name, normalise(value))
    return asked


def key(
    vary: Iterable[str], asked: Fields, normalisers: Mapping[str, Normaliser] = NORMALISERS
) -> str:
    """Return the secondary key of a request: 64 characters, or none if nothing varies.

    Requests have the same key if and only if each field of these names has the same normalised
    value in them, or is absent in both; absent and empty differ. Nothing else of the request
    enters, and case, order and repetition of the names do not matter. `*` does not count:
    whether a response that has it is stored is decided elsewhere.
    """
    selecting = sorted({name.lower() for name in vary} - {"*"})
    if not selecting:
        return ""
    values = [(name, _normalised(name, asked, normalisers)) for name in selecting]
    # JSON, since it says where each text ends; hashed, since values may be long and secret.
    return blake2b(json.dumps(values).encode(), digest_size=32).hexdigest()


def _normalised(name: str, asked: Fields, normalisers: Mapping[str, Normaliser]) -> str | None:
    value = asked.get(name)
    return None if value is None else normalisers.get(name, folded)(value)
