"""CDN-Cache-Control: what a response says to shared caches near its origin (RFC 9213).

Unlike Cache-Control it is a Dictionary of structured fields (RFC 8941, 3.2), of which one mistake
makes the whole field void.
"""

from __future__ import annotations

import re
from typing import Final

from .fields import TCHAR, Fields

TARGETS: Final = ("cdn-cache-control",)
"""The fields that go before Cache-Control and Expires, the first valid one alone."""

_KEY: Final = r"[a-z*][a-z0-9_\-.*]*"
_STRING: Final = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_BARE: Final = (
    rf"(?:-?[0-9]{{1,12}}\.[0-9]{{1,3}}|-?[0-9]{{1,15}}|{_STRING}"
    rf"|[A-Za-z*](?:{TCHAR}|[:/])*|:[A-Za-z0-9+/=]*:|\?[01])"
)
_PARAMETERS: Final = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_ITEM: Final = rf"{_BARE}{_PARAMETERS}"
_INNER_LIST: Final = rf"\( *+(?:{_ITEM}(?: +{_ITEM})*)? *\)"
_MEMBER: Final = re.compile(rf"(?P<key>{_KEY})(?:=(?P<value>{_INNER_LIST}|{_BARE}))?{_PARAMETERS}")
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")


def targeted_arguments(answered: Fields) -> dict[str, str | None] | None:
    """Return the directives of the first field of ``TARGETS`` that is valid and not empty.

    Each name has its argument as it was written, quotes included, so that a String is not taken
    for an Integer; None stands for a directive without one. None is returned where Cache-Control
    is to be followed (RFC 9213, 2.2).
    """
    for name in TARGETS:
        if found := _dictionary(answered.get(name) or ""):
            return {key: argument for key, argument in found.items() if argument != "?0"}
    return None


def _dictionary(text: str) -> dict[str, str | None]:
    """Return the members of a Dictionary without their parameters; none if it is not valid.

    Of members with the same key the last one counts (RFC 8941, 4.2.2).
    """
    found: dict[str, str | None] = {}
    at = 0
    while member := _MEMBER.match(text, at):
        found[member["key"]] = None if member["value"] == "?1" else member["value"]
        if member.end() == len(text):
            return found
        if not (comma := _COMMA.match(text, member.end())):
            break
        at = comma.end()
    return {}
