"""A two-tier cache for Django: process memory over Redis or Valkey, kept in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .transactions import on_commit

__version__ = "0.1.0.dev0"
__all__ = ["on_commit"]


def __getattr__(name: str) -> Any:
    # On first use: settings modules import this package, and Django's databases need settings.
    if name == "on_commit":
        from .transactions import on_commit

        return on_commit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
