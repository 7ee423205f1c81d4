"""What operators see as plain data that JSON can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from .names import text_of


def as_plain(value: Any) -> Any:
    """Return a dataclass, with all that is in it, as plain data.

    Bytes become text; those that are not UTF-8 become lone surrogates (PEP 383), which JSON can
    carry as escapes, and which name the same bytes when they come back.
    """
    if isinstance(value, bytes):
        return text_of(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {as_plain(name): as_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(one) for one in value]
    return value
