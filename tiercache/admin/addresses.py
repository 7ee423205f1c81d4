"""Keys in addresses and forms: base64url of the raw key, so that any bytes can be one."""

from __future__ import annotations

import base64
import binascii

from django.utils.translation import gettext as _


class BadAddress(ValueError):
    """What should name a key does not."""


def text_of(raw: bytes) -> str:
    """Return a full key as addresses carry it: base64url (RFC 4648, section 5) without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def raw_of(text: str) -> bytes:
    """Return the full key that an address carries.

    Raises:
        BadAddress: it is none.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise BadAddress(
            _("k is %(text)r; allowed: base64url of a full key, as the list of keys links to it")
            % {"text": text[:60]}
        )
    return raw
