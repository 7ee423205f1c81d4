"""Keys: which of them Django warns about, and which fit a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from .exceptions import CannotEnumerate

KeyFunction: TypeAlias = Callable[[Any, str, Any], str]

MEMCACHE_MAX_KEY_LENGTH = 250

# What a key function is shown to find out where it puts the key and the version.
_KEY_MARK = "tiercachekeymark"
_VERSION_MARK = 7_406_108_119


def warns(key: str) -> bool:
    """Tell whether Django gives a `CacheKeyWarning` for this key.

    The answer of `django.core.cache.backends.base.memcache_key_warnings`, for most keys at a
    twentieth of its cost.
    """
    if len(key) > MEMCACHE_MAX_KEY_LENGTH:
        return True
    if key.isascii() and key.isprintable():
        return " " in key
    return any(char < "!" or char == "\x7f" for char in key)


def escape(text: str) -> str:
    """Make a Redis glob that fits this text alone."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", text)


def glob(key_function: KeyFunction, search: str, prefix: str, version: Any) -> str:
    """Return the glob of full keys for a glob of keys, under one prefix and version.

    Raises:
        CannotEnumerate: the key function does not keep the key readable.
    """
    full = key_function(_KEY_MARK, prefix, version)
    if _KEY_MARK not in full:
        raise CannotEnumerate(
            f"KEY_FUNCTION {key_function!r} does not keep the key readable in what it returns "
            f"({full!r}), so no pattern finds the keys it makes; clear(), keys(), iter_keys() and "
            f"delete_pattern() need one"
        )
    return escape(full).replace(_KEY_MARK, search)


def namespace(key_function: KeyFunction, prefix: str) -> str:
    """Return the glob that all keys under a prefix fit, in all versions.

    Raises:
        CannotEnumerate: the key function does not keep the key readable.
    """
    return glob(key_function, "*", prefix, _VERSION_MARK).replace(str(_VERSION_MARK), "*")


def literal_head(pattern: str) -> str:
    """Return what every key that fits the glob begins with."""
    head = re.match(r"(?:[^*?\[\\]|\\.)*", pattern, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", head[0], flags=re.DOTALL) if head else ""


def matcher(pattern: str) -> Callable[[str], bool]:
    r"""Return a function that tells whether a key fits a glob, by the rules of Redis's KEYS.

    `*`, `?`, `[abc]`, `[^a]`, `[a-c]` and `\` before a character that stands for itself
    (redis.io, commands/keys).
    """
    fits = re.compile(_regex(pattern), re.DOTALL).fullmatch
    return lambda key: fits(key) is not None


def _regex(pattern: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "[":
            piece, at = _character_class(pattern, at)
            parts.append(piece)
        elif char == "\\" and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append(re.escape(char))
    return "".join(parts)


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """Translate what follows a `[`; like Redis, take an unclosed one to reach the end."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    members: list[str] = []
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "\\" and at + 1 < len(pattern):
            members.append(re.escape(pattern[at + 1]))
            at += 2
        elif pattern[at + 1 : at + 2] == "-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            members.append(re.escape(pattern[at]))
            at += 1
    if not members:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1
