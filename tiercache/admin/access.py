"""Who may do what: the named permissions, and nothing that comes from being staff."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from django.http import HttpRequest

from ..reports.cluster import Top, View

APP: Final = "tiercache"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may; each is the permission of the same name (`models.Eviction`).

    Attributes:
        view_stats: see figures, the audit and the configuration.
        view_keys: see which keys there are, and where they are held.
        view_values: see what is stored under a key.
        evict: remove keys.
        clear: remove everything.
    """

    view_stats: bool
    view_keys: bool
    view_values: bool
    evict: bool
    clear: bool

    @property
    def any(self) -> bool:
        """Whether there is a page for this user."""
        return self.view_stats or self.view_keys or self.evict


def rights_of(request: HttpRequest) -> Rights:
    """Return what the user of a request may."""
    return Rights(
        **{right.name: request.user.has_perm(f"{APP}.{right.name}") for right in fields(Rights)}
    )


def seen(view: View, rights: Rights) -> View:
    """Return a view without what these rights do not show.

    Keys, and the words of errors, which may name some, are for those who may see keys.
    """
    if rights.view_keys:
        return view
    nodes = tuple(
        replace(node, errors=tuple(mishap._replace(text="") for mishap in node.errors))
        for node in view.nodes
    )
    return replace(view, top=Top(), nodes=nodes)
