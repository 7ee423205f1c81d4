"""Faults made on purpose: a delay and a failure rate, settable while the upstream runs."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

from gateway_project.upstream.refusal import bad_request

MAX_DELAY_MS = 60_000
ALLOWED = (
    f"allowed are delay_ms (a number from 0 to {MAX_DELAY_MS}, in milliseconds) "
    "and failure_rate (a number from 0 to 1)"
)


@dataclass(frozen=True, slots=True)
class Faults:
    """How long each answer is held back, in milliseconds, and what share of them fails."""

    delay_ms: float = 0.0
    failure_rate: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the faults that SAMPLE_DELAY_MS and SAMPLE_FAILURE_RATE ask for.

        Raises:
            ValueError: If one of them is no number; the message names it.
            RefusalError: If one of them is out of its range.
        """
        given = {
            "delay_ms": _number(environment, "SAMPLE_DELAY_MS"),
            "failure_rate": _number(environment, "SAMPLE_FAILURE_RATE"),
        }
        return cls().changed(given)

    def changed(self, members: object) -> Self:
        """Return these faults with the given members changed.

        Raises:
            RefusalError: If the members are no object of known names and numbers in their range.
        """
        if not isinstance(members, Mapping):
            raise bad_request(f"The body must be a JSON object; {ALLOWED}.")
        changes = {}
        for name, value in members.items():
            changes[name] = _checked(name, value)
        return replace(self, **changes)

    def as_dict(self) -> dict[str, float]:
        """Return the faults as the control endpoint shows them."""
        return asdict(self)


def _checked(name: object, value: object) -> float:
    highest = {"delay_ms": MAX_DELAY_MS, "failure_rate": 1}.get(str(name))
    if highest is None:
        raise bad_request(f"Unknown member {name!r}; {ALLOWED}.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise bad_request(f"{name} cannot be {value!r}; {ALLOWED}.")
    return float(value)


def _number(environment: Mapping[str, str], name: str) -> float:
    text = environment.get(name, "0")
    try:
        return float(text)
    except ValueError as exc:
        raise ValueError(f"{name} must be a number, not {text!r}.") from exc
