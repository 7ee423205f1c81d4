"""Tokens that allow one eviction: what was previewed is what is evicted, once, soon, by the same.

A token is signed, not secret. It is used up by the audit (`auditing.begin`), whose table holds each
nonce once, whatever process sees it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from django.core import signing
from django.utils.translation import gettext as _

from tiercache.exceptions import TierCacheError

from .previewing import Tier
from .selecting import Selection

LIFE: Final = 300
"""Seconds for which a token can be used."""

_SALT: Final = "tiercache.operations.tokens"


class TokenError(TierCacheError):
    """A token allows nothing here; the text is for whoever shows it."""


class TokenMissing(TokenError):
    """There is none."""


class TokenForged(TokenError):
    """It was not made here, or has been changed."""


class TokenExpired(TokenError):
    """It is too old."""


class TokenOfAnother(TokenError):
    """It was made for another user."""


class TokenForAnother(TokenError):
    """It was made for another cache, selection or tier."""


class TokenUsed(TokenError):
    """It has been used before; raised where it is used up."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a valid token says.

    Attributes:
        nonce: what is used up with it.
        previewed: how many keys were announced.
    """

    nonce: str
    previewed: int | None


def make(
    user_id: str, alias: str, selection: Selection, tier: Tier, previewed: int | None = None
) -> str:
    """Return a token by which this user may evict this from this cache, within `LIFE`."""
    claims = _bound(user_id, alias, selection, tier)
    return signing.dumps([claims, secrets.token_hex(16), previewed], salt=_SALT, compress=True)


def check(token: str, user_id: str, alias: str, selection: Selection, tier: Tier) -> Claim:
    """Return what a token says, if it was made for just this.

    Raises:
        TokenMissing, TokenForged, TokenExpired, TokenOfAnother, TokenForAnother: it was not.
    """
    if not token:
        raise TokenMissing(_("The confirmation is missing; look at the preview first."))
    user, *rest = _bound(user_id, alias, selection, tier)
    (for_user, *for_rest), nonce, previewed = _read(token)
    if for_user != user:
        raise TokenOfAnother(_("This confirmation was made for another user."))
    if for_rest != rest:
        raise TokenForAnother(
            _("This confirmation was made for something else; look at the preview again.")
        )
    return Claim(nonce, previewed)


def _bound(user_id: str, alias: str, selection: Selection, tier: Tier) -> list[str]:
    return [user_id, alias, selection.digest, tier]


def _read(token: str) -> Any:
    try:
        return signing.loads(token, salt=_SALT, max_age=LIFE)
    except signing.SignatureExpired as exc:
        raise TokenExpired(
            _("This confirmation is older than %d minutes; look at the preview again.")
            % (LIFE // 60)
        ) from exc
    except signing.BadSignature as exc:
        raise TokenForged(_("This confirmation was not made here, or has been changed.")) from exc
