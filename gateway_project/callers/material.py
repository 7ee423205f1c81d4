"""What a key is made of: its text, the prefix that it is looked up by, the digest that is kept."""

import hashlib
import re
import secrets
from typing import Final

MARK: Final = "tck_"
"""What every key begins with, so that people and scanners for leaked keys recognise one."""

PREFIX_LENGTH: Final = 8
"""Characters after the mark that tell a key from others. They are shown and are no secret."""

_BYTES: Final = 32
_KEY: Final = re.compile(r"tck_[A-Za-z0-9_-]{43}")


def draw() -> str:
    """Return a new key of 256 random bits."""
    return MARK + secrets.token_urlsafe(_BYTES)


def is_key(text: str) -> bool:
    """Tell whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def prefix_of(key: str) -> str:
    """Return the prefix of a key: 48 of its bits, which leaves 208 that are secret."""
    return key[len(MARK) : len(MARK) + PREFIX_LENGTH]


def digest(key: str) -> str:
    """Return what is kept of a key, in hexadecimal."""
    # Slow hashes make up for passwords that can be guessed. Nobody guesses 208 random bits, so
    # one round of SHA-256 is as safe, and costs a microsecond of each request.
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def cache_key(prefix: str) -> str:
    """Return where the cache keeps what the database says of the key with this prefix."""
    return f"gateway:key:{prefix}"
