"""What no request may have that is passed on: framing that can be read in two ways, and the like.

An HTTP server has looked before, but servers differ, and the upstream's reading is the one that
counts for what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from tiercache.http.fields import Fields, is_token

MOST_FIELDS: Final = 100
"""How many lines a request's fields may have."""

MOST_BYTES: Final = 32 * 1024
"""How many bytes the names and values may have together."""

LARGEST_PORT: Final = 65_535

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254})|\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{0,5}))?",
    re.ASCII,
)
# RFC 9113, 8.2.2 and RFC 9114, 4.2: HTTP/2 and HTTP/3 frame messages themselves.
_CONNECTION_SPECIFIC: Final = (
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
)


class BadRequest(ValueError):
    """A request's fields are not to be passed on.

    Attributes:
        status: 400, or 431 if they are too many or too large.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


def check(fields: Fields, http_version: str) -> None:
    """See that a request's fields can be read in one way alone.

    Names are tokens without `_`, which CGI and WSGI make a `-`, so that X_Api_Key would stand
    for X-Api-Key. Values have no controls but tabs. There is exactly one Host (in HTTP/1.0: at
    most one), at most one Content-Length, of digits, and not beside Transfer-Encoding, which is
    `chunked` (RFC 9112, 3.2 and 6). HTTP/2 and 3 have no fields of one connection.

    Args:
        fields: those of the request.
        http_version: as ASGI says it: `1.0`, `1.1`, `2`, `3`.

    Raises:
        BadRequest: with the first thing that is wrong.
    """
    for check_one in _CHECKS:
        check_one(fields, http_version)


def _check_size(fields: Fields, _http_version: str) -> None:
    if len(fields) > MOST_FIELDS:
        raise BadRequest(f"there are {len(fields)} fields; allowed: at most {MOST_FIELDS}", 431)
    size = sum(len(name) + len(value) for name, value in fields)
    if size > MOST_BYTES:
        raise BadRequest(f"the fields have {size} bytes; allowed: at most {MOST_BYTES}", 431)


def _check_lines(fields: Fields, _http_version: str) -> None:
    for name, value in fields:
        if not is_token(name) or "_" in name:
            raise BadRequest(f"a field has the name {name!r}; allowed: a token without _")
        if match := _CONTROL.search(value):
            raise BadRequest(f"{name} has {match[0]!r} in it; allowed: no control but a tab")


def _check_host(fields: Fields, http_version: str) -> None:
    hosts = fields.lines("host")
    if len(hosts) > 1 or (not hosts and http_version != "1.0"):
        raise BadRequest(f"there are {len(hosts)} Host fields; allowed: exactly one")
    if hosts and not _is_host(hosts[0]):
        raise BadRequest(f"Host is {hosts[0]!r}; allowed: a name or an address, and a port")


def _check_length(fields: Fields, _http_version: str) -> None:
    lengths = fields.lines("content-length")
    if len(lengths) > 1:
        raise BadRequest(f"there are {len(lengths)} Content-Length fields; allowed: one")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise BadRequest(f"Content-Length is {lengths[0]!r}; allowed: 1 to 18 digits")
    if lengths and "transfer-encoding" in fields:
        raise BadRequest("there are Content-Length and Transfer-Encoding; allowed: one of them")


def _check_transfer(fields: Fields, http_version: str) -> None:
    coding = fields.get("transfer-encoding")
    if coding is None:
        return
    if http_version == "1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding")
    if coding.lower() != "chunked":
        raise BadRequest(f"Transfer-Encoding is {coding!r}; allowed: chunked")


def _check_connection(fields: Fields, http_version: str) -> None:
    if http_version in ("1.0", "1.1"):
        return
    if found := [name for name in _CONNECTION_SPECIFIC if name in fields]:
        raise BadRequest(f"HTTP/{http_version} has no {found[0]}")
    if (fields.get("te") or "trailers").lower() != "trailers":
        raise BadRequest(f"TE is {fields.get('te')!r}; allowed in HTTP/{http_version}: trailers")


_CHECKS: Final[tuple[Callable[[Fields, str], None], ...]] = (
    _check_size,
    _check_lines,
    _check_host,
    _check_length,
    _check_connection,
    _check_transfer,
)


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    if match is None or int(match["port"] or 0) > LARGEST_PORT:
        return False
    try:
        return match["ipv6"] is None or bool(IPv6Address(match["ipv6"]).exploded)
    except AddressValueError:
        return False
