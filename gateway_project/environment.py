"""The environment, read once and loudly: a bad value is refused by its name."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return the variable, stripped; the default if it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def kept(file: Path) -> str:
    """Return the text that another process keeps in a file, "" if there is none."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def flag(name: str) -> bool:
    """Return whether the variable is 1; unset, empty and 0 are False."""
    value = text(name, "0")
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} must be 0 or 1, not {value!r}.")
    return value == "1"


def items(name: str, default: str = "") -> tuple[str, ...]:
    """Return the parts of a comma-separated list, without empty ones."""
    return tuple(part.strip() for part in text(name, default).split(",") if part.strip())


def servers(name: str) -> tuple[str, ...]:
    """Return the base addresses of HTTP servers, without a slash at their end."""
    return tuple(_server(name, item) for item in items(name))


def is_base(address: str) -> bool:
    """Tell whether a text is the address of an HTTP server, with a path or without."""
    # `urlsplit` would leave out line ends and tabs without a word.
    if not address.isascii() or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    # A password in it would be sent to nobody: requests carry their callers' fields alone.
    if parts.query or parts.fragment or port == 0 or parts.username is not None:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def without_password(address: str) -> str:
    """Return a text that may be an address, with what may be a user and a password hidden."""
    return re.sub(r"//[^/]*@", "//***@", address)


def masked(url: str) -> str:
    """Return the address with its password hidden, fit to be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def _server(name: str, address: str) -> str:
    if not is_base(address):
        raise ImproperlyConfigured(
            f"{name} must list addresses such as http://127.0.0.1:9001, "
            f"separated by commas; {without_password(address)!r} is none."
        )
    return address.rstrip("/")
