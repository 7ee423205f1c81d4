"""A cache's settings as an operator may see them: without what is secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tiercache.aliases import ours
from tiercache.stores import without_secrets

MASK: Final = "********"

_SECRET: Final = ("PASS", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE")


def shown_settings(alias: str) -> dict[str, str]:
    """Return the settings of an alias by name, as text; what is secret is masked.

    An option is called "OPTIONS.NAME". An alias that the settings do not have has none.
    """
    shown: dict[str, str] = {}
    for name, value in ours().get(alias, {}).items():
        if name == "LOCATION":
            shown[name] = _servers(value)
        elif name == "OPTIONS" and isinstance(value, Mapping):
            shown |= {f"OPTIONS.{option}": _text(option, of) for option, of in value.items()}
        else:
            shown[name] = _text(name, value)
    return shown


def _servers(location: Any) -> str:
    servers = location.split(",") if isinstance(location, str) else location
    return ", ".join(without_secrets(str(server).strip()) for server in servers or ())


def _text(name: Any, value: Any) -> str:
    if any(word in str(name).upper() for word in _SECRET):
        return MASK
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(key, of)}" for key, of in value.items())
    return str(value)
