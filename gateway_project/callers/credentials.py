"""The key that a request offers, and what to answer if there is something wrong with it."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, Literal

from gateway_project.callers.material import MARK, is_key
from gateway_project.problems import ProblemError
from tiercache.http.fields import Fields

CARRIERS: Final = frozenset({"authorization", "x-api-key"})
"""The fields that a key may come in."""

Reason = Literal["invalid_request", "invalid_token"]
"""What may be wrong with a key (RFC 6750, 3.1)."""

_CHALLENGE: Final = 'Bearer realm="gateway"'


class BadKey(ProblemError):
    """The request is refused for its key.

    The detail never repeats the key.

    Attributes:
        fields: the challenge that the answer has to bear (RFC 9110, 11.6.1).
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, reason: Reason | None = "invalid_token"
    ) -> None:
        super().__init__(status, detail)
        error = "" if reason is None else f', error="{reason}"'
        self.fields = Fields([("WWW-Authenticate", _CHALLENGE + error)])


def no_key() -> BadKey:
    """Return the refusal of a request that needs a key and offers none.

    It names no error, since the caller may not have known (RFC 6750, 3.1).
    """
    return BadKey(
        HTTPStatus.UNAUTHORIZED,
        f"A key is needed here: Authorization: Bearer {MARK}…, or X-API-Key: {MARK}….",
        reason=None,
    )


def offered_key(fields: Fields) -> str | None:
    """Return the key that a request offers, None if it offers none.

    It comes as `Authorization: Bearer tck_…` (RFC 6750, 2.1) or as `X-API-Key: tck_…`. Other
    schemes, and bearer tokens without the mark of a key, are the upstream's and none of ours.

    Raises:
        BadKey: two different keys are offered (400), or what is offered is no key (401).
    """
    offered = {*_bearer_tokens(fields), *fields.lines("x-api-key")}
    if len(offered) > 1:
        raise BadKey(
            HTTPStatus.BAD_REQUEST,
            "The request offers two different keys; one is allowed, in Authorization or in "
            "X-API-Key.",
            reason="invalid_request",
        )
    key = next(iter(offered), None)
    if key is not None and not is_key(key):
        raise BadKey(
            HTTPStatus.UNAUTHORIZED,
            f"This is not a key; a key is {MARK} and 43 letters, digits, - or _.",
        )
    return key


def _bearer_tokens(fields: Fields) -> Iterator[str]:
    for line in fields.lines("authorization"):
        scheme, _, token = line.partition(" ")
        token = token.lstrip(" ")
        if scheme.lower() == "bearer" and token.startswith(MARK):
            yield token


def without_key(fields: Fields) -> Fields:
    """Return a request's fields as an upstream may see them: without the key, which is not its own.

    Authorization stays where it carries something else.
    """
    ours = any(True for _ in _bearer_tokens(fields))
    return fields.without({"x-api-key", "authorization"} if ours else {"x-api-key"})
