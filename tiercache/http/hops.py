"""What goes no further than one connection, and what a gateway adds on the way (RFC 9110, 7.6)."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from tiercache.http.fields import Fields

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that concern one connection, whether Connection names them or not (RFC 9110, 7.6.1)."""

PROTECTED: Final = frozenset(
    {
        "age",
        "allow",
        "authorization",
        "cache-control",
        "cache-status",
        "cache-tag",
        "cdn-cache-control",
        "cookie",
        "date",
        "etag",
        "expect",
        "expires",
        "forwarded",
        "from",
        "host",
        "last-modified",
        "location",
        "origin",
        "pragma",
        "range",
        "referer",
        "retry-after",
        "set-cookie",
        "strict-transport-security",
        "surrogate-control",
        "surrogate-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "vary",
        "via",
        "www-authenticate",
        "x-api-key",
        "x-csrftoken",
        "x-real-ip",
        "x-request-id",
    }
)
"""Fields that Connection cannot take away."""

PROTECTED_PREFIXES: Final = ("accept", "access-control-", "content-", "if-", "sec-", "x-forwarded-")
"""What the names of further such fields begin with."""

CLAIMS: Final = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "fastly-client-ip",
        "forwarded",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-forwarded",
        "x-host",
        "x-original-host",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
"""Fields, beside those that begin with `x-forwarded-`, by which a proxy says whom it speaks for."""

UNKNOWN: Final = "unknown"
"""What stands for a peer without an address (RFC 7239, 6.2)."""

_COMMENT: Final = re.compile(r"\([^()]*\)")
_VIA: Final = re.compile(r"(?:^|,)[ \t]*[^\s,]+[ \t]+([^\s,]+)")


def end_to_end(fields: Fields, kept: Container[str] = ()) -> Fields:
    """Return the fields without those of one connection, and without those Connection names.

    A Connection that names a field meant for everybody is wrong (RFC 9110, 7.6.1), and a known
    attack: the gateway would see a credential or a part of the key that the upstream does not.
    Such a name is ignored, and the field goes on: the ones of `PROTECTED`, and `kept`, which is
    for the names that a route authenticates, limits or keys by. What else it names is dropped;
    so this comes before anything is looked up by the fields. Idempotent.
    """
    named = {name.strip(" \t").lower() for name in (fields.get("connection") or "").split(",")}
    dropped = {name for name in named if name and not (_is_protected(name) or name in kept)}
    return fields.without(HOP_BY_HOP | dropped)


def via(fields: Fields, pseudonym: str, version: str) -> Fields:
    """Return the fields with the gateway at the end of Via (RFC 9110, 7.6.3).

    Args:
        fields: those of the request or the response.
        pseudonym: the gateway's name for itself, a token.
        version: of HTTP, by which the message was received: `1.1`, `2`.
    """
    return _extended(fields, "via", f"{version} {pseudonym}")


def passes(fields: Fields, pseudonym: str) -> int:
    """Return how often, by its Via, a request was at a gateway of this name before.

    More often than there are gateways in a row it goes in a circle. Names are compared without
    regard to case.
    """
    passed = _VIA.findall(_COMMENT.sub("", fields.get("via") or ""))
    return [name.lower() for name in passed].count(pseudonym.lower())


def forwarded(fields: Fields, *, peer: str | None, scheme: str, is_trusted: bool) -> Fields:
    """Return a request's fields with the peer in Forwarded (RFC 7239) and X-Forwarded-*.

    What a peer says of whom it speaks for is dropped, and said anew, unless it is trusted. Of a
    trusted one X-Forwarded-For and Forwarded are continued, X-Forwarded-Host and -Proto are kept
    if they are there. Forwarded is not begun where X-Forwarded-For was: its first address
    would be a proxy's, and read as the caller's.

    Args:
        fields: with the Host that the caller asked for.
        peer: the address at the other end of the connection, without a port; None for a socket
            that has none.
        scheme: `http` or `https`, of the connection.
        is_trusted: whether the peer is a proxy that is believed.
    """
    told = fields if is_trusted else _without_claims(fields)
    node, host = peer or UNKNOWN, fields.get("host")
    extended = _extended(told, "x-forwarded-for", node)
    if "forwarded" in told or "x-forwarded-for" not in told:
        extended = _extended(extended, "forwarded", _element(node, host, scheme))
    for name, value in (("x-forwarded-host", host), ("x-forwarded-proto", scheme)):
        if value and name not in extended:
            extended = extended.replaced(name, value)
    return extended


def _is_protected(name: str) -> bool:
    return name in PROTECTED or name.startswith(PROTECTED_PREFIXES)


def _without_claims(fields: Fields) -> Fields:
    claims = {name for name, _ in fields if name in CLAIMS or name.startswith("x-forwarded-")}
    return fields.without(claims)


def _extended(fields: Fields, name: str, member: str) -> Fields:
    before = fields.get(name)
    return fields.replaced(name, f"{before}, {member}" if before else member)


def _element(node: str, host: str | None, scheme: str) -> str:
    # An IPv6 address is in brackets, and with its colons in quotes (RFC 7239, 6).
    pairs = [f"for={_quoted(f'[{node}]') if ':' in node else node}"]
    if host:
        pairs.append(f"host={_quoted(host)}")
    return ";".join([*pairs, f"proto={scheme}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
