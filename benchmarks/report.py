"""A whole run: where it was made, and what each of its parts has found, or why it has not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .part import Result


@dataclass(frozen=True, slots=True)
class About:
    """Where and when a run was made.

    Attributes:
        date: in UTC.
        seconds: that it took.
        quick: whether it was a short one.
        machine: processor and cores.
        versions: of what was measured and what it was measured with, by name.
    """

    date: str
    seconds: float
    quick: bool
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """A part that was run.

    Attributes:
        name, title: the part's.
        seconds: that it took.
        result: what it has found; None if it failed.
        error: why it failed; "" if it did not.
    """

    name: str
    title: str
    seconds: float
    result: Result | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    about: About
    parts: list[Done] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether any part has failed."""
        return any(done.error for done in self.parts)

    def to_json(self) -> str:
        """Return it as text that `from_json` reads."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Return what `to_json` has written.

        Raises:
            ValueError: it is something else; the message says what is missing.
        """
        data = json.loads(text)
        try:
            return cls(About(**data["about"]), [_done(done) for done in data["parts"]])
        except (KeyError, TypeError) as exc:
            raise ValueError(
                f"these are not the figures of a run: {exc}; allowed: what `--json` has written"
            ) from exc


def _done(data: dict[str, Any]) -> Done:
    result = data["result"]
    return Done(**{**data, "result": None if result is None else Result.from_dict(result)})
