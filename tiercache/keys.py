"""Keys: which of them Django warns about, and which fit a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from .exceptions import CannotEnumerate

KeyFunction: TypeAlias = Callable[[Any, str, Any], str]

MEMCACHE_MAX_KEY_LENGTH = 250

LEASE = ":tiercache.lease"
"""What a lease's key has after the full key that it is for: so it is in the same namespace."""

TAG = "tiercache.tag:"
"""What the key of a tag begins with, as a caller would name it."""

COUNTS = ("tiercache:tags", "tiercache:evictions")
"""The keys of the highest number that a tag was given, and of how often tags were evicted; one of
each for a database."""

REPORTS = "tiercache:nodes/"
"""What the keys of nodes' reports and of their history begin with, and have no second colon: so no
key that Django's key function makes, whatever the prefix, is one of them."""

REPLIES = "tiercache:reply/"
"""What the keys of lists of nodes' answers begin with, and have no second colon either."""

# What a key function is shown to find out where it puts the key and the version: twice, since
# one that hashes or cuts them may look as if it did not.
_KEY_MARKS = ("tiercachekeymark", "k" * 300)
_VERSION_MARKS = (7_406_108_119, 5_283_947_160)


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


def lease_of(key: str) -> str:
    """Return the key of the lease to load what is under a full key."""
    return key + LEASE


def softened_of(tag: str) -> str:
    """Return the key of the numbers that a tag had when it was evicted softly.

    It is where the tag's lease would be, if tags were loaded: what removes a tag removes it too.
    """
    return lease_of(tag)


def is_internal(full: str) -> bool:
    """Tell whether a full key is none of a caller's: a lease, a tag, a count, a report, answers."""
    return (
        full.endswith(LEASE) or TAG in full or full in COUNTS or full.startswith((REPORTS, REPLIES))
    )


def escape(text: str) -> str:
    """Make a Redis glob that fits this text alone."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", text)


def glob(key_function: KeyFunction, search: str, prefix: str, version: Any) -> str:
    """Return the glob of full keys for a glob of keys, under one prefix and version.

    Raises:
        CannotEnumerate: the key function does not keep the key readable.
    """
    first, second = (_parts(key_function, key, prefix, version, mark=key) for key in _KEY_MARKS)
    return search.join(_agreed(key_function, first, second))


def namespace(key_function: KeyFunction, prefix: str, search: str = "*") -> str:
    """Return the glob that all keys under a prefix fit, in all versions; or those that a glob fits.

    Raises:
        CannotEnumerate: the key function does not keep key and version readable.
    """
    first, second = (
        _parts(key_function, key, prefix, version, mark=key, other=str(version))
        for key, version in zip(_KEY_MARKS, _VERSION_MARKS, strict=True)
    )
    return search.join(_agreed(key_function, first, second))


def _parts(
    key_function: KeyFunction, key: str, prefix: str, version: Any, mark: str, other: str = ""
) -> list[str]:
    """Return what a key function puts around the key, with "*" for the version where it is free."""
    try:
        full = key_function(key, prefix, version)
    except Exception as exc:
        # The site's own code: whatever it makes of a key that is none of the site's.
        raise CannotEnumerate(
            f"KEY_FUNCTION {key_function!r} does not keep keys readable: it fails for the text "
            f"{key!r} ({type(exc).__name__}: {exc}), so no pattern finds the keys it makes; "
            f"clear(), keys(), iter_keys() and delete_pattern() need one"
        ) from exc
    parts = str(full).split(mark)
    if not other:
        return [escape(part) for part in parts]
    # The prefix may have the version's digits in it.
    return [
        "*".join(escape(piece) for piece in part.split(other))
        if other not in prefix
        else escape(part)
        for part in parts
    ]


def _agreed(key_function: KeyFunction, first: list[str], second: list[str]) -> list[str]:
    if len(first) != 2 or first != second:
        raise CannotEnumerate(
            f"KEY_FUNCTION {key_function!r} does not keep key and version readable in what it "
            f"returns, so no pattern finds the keys it makes; clear(), keys(), iter_keys() and "
            f"delete_pattern() need one"
        )
    return first


def literal_head(pattern: str) -> str:
    """Return what every key that fits the glob begins with."""
    head = re.match(r"(?:[^*?\[\\]|\\.)*", pattern, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", head[0], flags=re.DOTALL) if head else ""


def matcher(pattern: str) -> Callable[[str], bool]:
    r"""Return a function that tells whether a key fits a glob, by the rules of Redis's KEYS.

    `*`, `?`, `[abc]`, `[^a]`, `[a-c]` and `\` before a character that stands for itself
    (redis.io, commands/keys). Like Redis it compares bytes: `?` is one byte of UTF-8.
    """
    fits = re.compile(_regex(_bytes(pattern)), re.DOTALL).fullmatch
    return lambda key: fits(_bytes(key)) is not None


def _bytes(text: str) -> str:
    """Return a text with one character for each byte of the text's UTF-8."""
    return text if text.isascii() else text.encode(errors="surrogatepass").decode("latin-1")


def _regex(pattern: str) -> str:
    # What stands between two stars has one length, so its first occurrence is as good as any: that
    # it is never tried again elsewhere keeps a pattern with many stars from taking for ever.
    first, *others = _between_stars(pattern)
    if not others:
        return first
    return "".join([first, *(f"(?>.*?{part})" for part in others[:-1]), ".*", others[-1]])


def _between_stars(pattern: str) -> list[str]:
    """Translate what stands before, between and after the stars."""
    found: list[str] = []
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            found.append("".join(parts))
            parts = []
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
    return [*found, "".join(parts)]


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
            members.append(_range(pattern[at], pattern[at + 2]))
            at += 3
        else:
            members.append(re.escape(pattern[at]))
            at += 1
    if not members:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _range(one: str, other: str) -> str:
    """Translate a range of bytes, whichever end comes first.

    Redis compares them as C's `char`, which is signed on x86: there 0x80 to 0xff come before 0.
    """
    low, high = sorted((one, other), key=lambda byte: (ord(byte) < 0x80, byte))
    between = "\xff\0-" if low >= "\x80" > high else ""
    return f"{re.escape(low)}-{between}{re.escape(high)}"
