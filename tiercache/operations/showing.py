"""Bytes of a value as text: JSON, MessagePack, a pickle's opcodes, or hex. Nothing is unpickled."""

from __future__ import annotations

import json
import pprint
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiercache.codec import IDENTITY, PICKLE

from . import pickles
from .unpacking import MOST, Unpacked, unpack

READ: Final = 64 * 1024
"""Bytes of a value that are read to be shown."""

HEX: Final = 1024
"""Bytes that are shown in hex at the most."""

DEEPEST: Final = 32
"""Levels down to which JSON is indented: each level makes every line of it longer."""

_INTEGER: Final = re.compile(rb"[+-]?\d{1,40}")
_BY_SERIALIZER: Final = {
    PICKLE: "pickle",
    "django_redis.serializers.json.JSONSerializer": "json",
    "django_redis.serializers.msgpack.MSGPackSerializer": "msgpack",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A value, made readable without being loaded.

    Attributes:
        kind: "integer", "json", "msgpack", "pickle", "text" or "hex".
        text: what to show. It is what somebody has put there: to be escaped, never trusted.
        size: bytes of the value in Redis, without its header.
        cut: whether there is more than is shown.
        compressed: the format that it was compressed in, "" if none.
        expected: the kind that this cache's serializer makes, "" if that is not known.
    """

    kind: str
    text: str
    size: int
    cut: bool
    compressed: str = ""
    expected: str = ""

    @property
    def decodable(self) -> bool | None:
        """Whether it looks like what this cache's serializer reads; None where nobody knows."""
        if not self.expected or (self.cut and self.kind in ("text", "hex")):
            return None
        return self.kind in (self.expected, "integer")


def show(raw: bytes, options: Mapping[str, Any], *, size: int | None = None) -> Shown:
    """Make a value readable. Nothing is loaded, nothing is imported, whatever the bytes say.

    Args:
        raw: the value without its header; the first `READ` bytes are enough.
        options: the cache's OPTIONS: its serializer and compressor.
        size: bytes of the whole value, where that is more.
    """
    size = len(raw) if size is None else size
    expected = _BY_SERIALIZER.get(str(options.get("SERIALIZER", PICKLE)), "")
    if size == len(raw) and _INTEGER.fullmatch(raw):
        return Shown("integer", raw.decode(), size, cut=False, expected=expected)
    given = unpack(raw, str(options.get("COMPRESSOR", IDENTITY)), whole=size <= len(raw))
    kind, text, whole = _text_of(given, expected)
    cut = not (whole and given.whole)
    return Shown(kind, _printable(text), size, cut, given.by, expected)


def _text_of(given: Unpacked, expected: str) -> tuple[str, str, bool]:
    """Return the kind, the text, and whether that shows all that was given."""
    data = given.data
    if expected == "msgpack" and given.whole and (told := _msgpack(data)) is not None:
        return "msgpack", told, True
    if pickles.looks_pickled(data) or (expected == "pickle" and data[-1:] == b"."):
        listed = pickles.Listed(data)
        if listed.lines and (listed.whole or pickles.looks_pickled(data)):
            return "pickle", "\n".join(listed.lines), listed.whole
    text = _readable(data, whole=given.whole)
    if text is None:
        return "hex", hexadecimal(data[:HEX]), len(data) <= HEX
    told = _json(text) if given.whole else None
    is_json = told is not None or (expected == "json" and not given.whole)
    return ("json" if is_json else "text"), told or text, True


def _readable(data: bytes, *, whole: bool) -> str | None:
    """Return bytes as text if they are text; the last character may be cut off."""
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        if whole or exc.start < len(data) - 3:
            return None
        text = data[: exc.start].decode()
    return None if any(char < " " and char not in "\t\n\r" for char in text) else text


def _json(text: str) -> str | None:
    """Return JSON, indented unless it is deep; None if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if _depth(text) > DEEPEST:
        return text
    return json.dumps(value, indent=2, ensure_ascii=False)


def _depth(text: str) -> int:
    """Return how deep brackets are nested, at the least."""
    depth = deepest = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _msgpack(data: bytes) -> str | None:
    import msgpack

    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return pprint.pformat(value, width=100, sort_dicts=False)
    except Exception:  # noqa: BLE001 - foreign bytes may make it raise anything
        return None


def hexadecimal(data: bytes) -> str:
    """Return bytes in hex, 16 a line, each line with its offset and what of it is ASCII."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        ascii_only = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:04x}  {part.hex(' '):<47}  {ascii_only}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """Return a text that can be sent as UTF-8, no longer than `MOST` characters."""
    return text[:MOST].encode(errors="backslashreplace").decode()
