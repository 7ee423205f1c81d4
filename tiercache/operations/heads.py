"""What stands in front of a value: its grace and its tags, read without its value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tiercache.exceptions import Undecodable
from tiercache.header import MARK, Meta, split
from tiercache.keys import TAG

READ: Final = 4096
"""Bytes of a value that are read for its header: room for some hundred tags."""

NO_HEADER: Final = Meta()


def meta_of(head: object) -> Meta:
    """Return what a value's first bytes say; nothing where they are no header, or a damaged one."""
    if not isinstance(head, bytes) or head[:1] != MARK:
        return NO_HEADER
    try:
        return split(head)[0] or NO_HEADER
    except Undecodable:
        return NO_HEADER


def tag_names(tags: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """Return tags as the code names them, where their keys are readable."""
    return tuple(tag_name(full) for full, _ in tags)


def tag_name(full: str) -> str:
    """Return a tag as the code names it, where its key is readable."""
    return full.partition(TAG)[2] or full
