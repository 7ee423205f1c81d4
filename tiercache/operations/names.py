"""Which keys in Redis are one cache's, and what its code calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tiercache.exceptions import CannotEnumerate
from tiercache.keys import is_internal, namespace

if TYPE_CHECKING:
    from tiercache.backend import TieredCache

# Stands for the key where a key function has put it; no glob has it.
_KEY = "\0"


def raw_of(text: str) -> bytes:
    """Return a key as Redis has it; what a terminal passed on undecoded is as it was."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def text_of(raw: bytes) -> str:
    """Return a key as text, with escapes for the bytes that are not UTF-8."""
    return raw.decode(errors="surrogateescape")


def held_name(raw: bytes) -> str:
    """Return a key as this process's memory has it."""
    try:
        return raw.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return text_of(raw)


def is_hidden(raw: bytes) -> bool:
    """Tell whether a key in Redis is none of a caller's: of a lease, a tag, a report."""
    return is_internal(text_of(raw))


class Names:
    """How one cache names its keys.

    Attributes:
        readable: whether a pattern finds its keys; otherwise each is known only to its caller.
        reason: why not.
    """

    def __init__(self, cache: TieredCache) -> None:
        self._cache = cache
        self.reason = ""
        self._pattern: str | None = None
        self._parts: re.Pattern[str] | None = None
        try:
            self._pattern = namespace(cache.key_func, cache.key_prefix, _KEY)
        except CannotEnumerate as exc:
            self.reason = str(exc)
        else:
            self._parts = re.compile(_parts(self._pattern), re.DOTALL)

    @property
    def readable(self) -> bool:
        """Whether a pattern finds this cache's keys."""
        return self._pattern is not None

    def glob(self, search: str) -> bytes:
        """Return the glob of full keys, in all versions, for a glob of keys as the code has them.

        Raises:
            CannotEnumerate: they are not readable.
        """
        if self._pattern is None:
            raise CannotEnumerate(self.reason)
        return raw_of(self._pattern.replace(_KEY, search))

    def owns(self, raw: bytes) -> bool:
        """Tell whether a key in Redis may be one of this cache's callers'."""
        if is_hidden(raw):
            return False
        return self._parts is None or self._parts.fullmatch(text_of(raw)) is not None

    def exact(self, text: str) -> tuple[bytes, ...]:
        """Return what a text may name: a key of this cache's version, or a full key."""
        full = raw_of(text)
        named = self.full(text, self._cache.version)
        found = [*([] if named is None else [named]), *([full] if self.owns(full) else [])]
        return tuple(raw for raw in dict.fromkeys(found) if not is_hidden(raw))

    def full(self, key: str, version: object) -> bytes | None:
        """Return the full key of a key; None where the site's key function does not take it."""
        try:
            return raw_of(str(self._cache.key_func(key, self._cache.key_prefix, version)))
        except Exception:  # noqa: BLE001 - the site's own code, given a text that is none of its keys
            return None

    def version(self, given: int | None) -> object:
        """Return the version given, or the cache's own."""
        return self._cache.version if given is None else given

    def parse(self, raw: bytes) -> tuple[str | None, str]:
        """Return the key as the code names it (None if that cannot be told) and its version."""
        try:
            found = self._parts and self._parts.fullmatch(raw.decode())
        except UnicodeDecodeError:
            return None, ""
        return (found["key"], found.groupdict().get("version", "")) if found else (None, "")


def _parts(pattern: str) -> str:
    """Turn a namespace's glob into an expression with groups "version" and "key"."""
    made, versions = [], 0
    for token in re.finditer(r"\\(.)|(.)", pattern, re.DOTALL):
        if token[2] == _KEY:
            made.append("(?P<key>.*)")
        elif token[2] == "*":
            made.append("(?P=version)" if versions else "(?P<version>.*?)")
            versions += 1
        else:
            made.append(re.escape(token[1] or token[2]))
    return "".join(made)
