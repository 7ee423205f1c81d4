"""The fields that tell a caller of their limit: RateLimit-Policy, RateLimit, Retry-After."""

import math
import re
from typing import Final

from gateway_project.callers.limits import Rate, Verdict
from tiercache.http.fields import Fields

_POLICY: Final = re.compile(r"[ !#-\[\]-~]+")


def limit_fields(rate: Rate, verdict: Verdict, *, policy: str = "default") -> Fields:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers-11; Retry-After if refused.

    Retry-After (RFC 9110, 10.2.3) ends with the effective window `t`, never before (section 6).

    Args:
        policy: the name of the rate, a String of RFC 9651 that needs no escapes.

    Raises:
        ValueError: the name of the policy cannot be sent.
    """
    if _POLICY.fullmatch(policy) is None:
        raise ValueError(
            f'policy is {policy!r}; allowed: ASCII characters without controls, " and \\'
        )
    lines = [
        ("RateLimit-Policy", f'"{policy}";q={rate.requests};w={math.ceil(rate.window)}'),
        ("RateLimit", f'"{policy}";r={verdict.remaining};t={verdict.reset_seconds}'),
    ]
    if not verdict.allowed:
        lines.append(("Retry-After", str(verdict.retry_after)))
    return Fields(lines)
