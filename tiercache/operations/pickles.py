"""What a pickle says, by its opcodes: read as data, never run."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from typing import Any, Final

MOST_LINES: Final = 500
MOST_CHARACTERS: Final = 1000
"""Of one text or number in a pickle, as many are shown."""

# Opcodes that a length and as many bytes follow, and how many bytes the length takes.
_LONG: Final = {b"X": 4, b"B": 4, b"T": 4, b"\x8d": 8, b"\x8e": 8, b"\x96": 8}

_TEXTS: Final = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING"}
    | {"SHORT_BINSTRING"}
)
_BYTES: Final = frozenset({"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"})
_NUMBERS: Final = frozenset(
    {"INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
)
_WORDS: Final = {
    "NONE": "None",
    "NEWTRUE": "True",
    "NEWFALSE": "False",
    "EMPTY_DICT": "dict",
    "DICT": "dict",
    "EMPTY_LIST": "list",
    "LIST": "list",
    "EMPTY_TUPLE": "tuple ()",
    "TUPLE": "tuple of the items since its mark",
    "TUPLE1": "tuple of 1",
    "TUPLE2": "tuple of 2",
    "TUPLE3": "tuple of 3",
    "EMPTY_SET": "set",
    "FROZENSET": "frozenset of the items since its mark",
    "MARK": "mark",
    "REDUCE": "would call it",
    "NEWOBJ": "would make an instance",
    "NEWOBJ_EX": "would make an instance",
    "OBJ": "would make an instance",
    "INST": "would make an instance",
    "BUILD": "would set its state",
}


class Listed:
    """The lines of a pickle.

    Attributes:
        lines: what it says, an opcode a line.
        whole: whether it was read up to its end, and all of it is shown.
    """

    def __init__(self, data: bytes) -> None:
        self.lines: list[str] = []
        self.whole = False
        self._memo: dict[int, str] = {}
        self._texts: list[str] = []
        stream, at = io.BytesIO(data), 0
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                if len(self.lines) >= MOST_LINES:
                    return
                self.lines += self._said(opcode.name, argument)
                self.whole = opcode.name == "STOP"
                at = stream.tell()
        except Exception:  # noqa: BLE001 - damaged or cut off: pickletools raises many kinds
            self.whole = False
            self.lines += _cut_off(data, at)

    def _said(self, name: str, argument: Any) -> Iterator[str]:
        self._remember(name, argument)
        if name in ("GLOBAL", "INST"):
            yield f"class {_shown(str(argument).replace(' ', '.'))}"
        elif name == "STACK_GLOBAL":
            yield f"class {_shown('.'.join(self._texts[-2:]))}"
        elif name in _TEXTS or name in _NUMBERS:
            yield _shown(repr(argument)) if name in _TEXTS else _number(argument)
        elif name in _BYTES:
            yield f"{len(argument):,} bytes: {_shown(repr(bytes(argument[:MOST_CHARACTERS])))}"
        elif name == "PROTO":
            yield f"pickle, protocol {argument}"
        if name in _WORDS:
            yield _WORDS[name]

    def _remember(self, name: str, argument: Any) -> None:
        """Keep track of texts, which name the classes: they may be said once and referred to."""
        if name in _TEXTS:
            self._texts = [*self._texts[-1:], str(argument)]
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            # Whatever is put there: of what is no text, nobody asks for the text.
            place = len(self._memo) if name == "MEMOIZE" else int(argument)
            self._memo[place] = self._texts[-1] if self._texts else "?"
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._texts = [*self._texts[-1:], self._memo.get(int(argument), "?")]


def _cut_off(data: bytes, at: int) -> list[str]:
    """Return the beginning of a long text or of bytes whose end was not read."""
    length = _LONG.get(data[at : at + 1])
    begun = b"" if length is None else data[at + 1 + length :][:MOST_CHARACTERS]
    return [f"{begun.decode(errors='backslashreplace')!r}…"] if begun else []


def looks_pickled(data: bytes) -> bool:
    """Tell whether bytes begin as a pickle of protocol 2 or later does."""
    return len(data) > 1 and data[0] == 0x80 and 2 <= data[1] <= 5


def _number(argument: Any) -> str:
    if isinstance(argument, int) and argument.bit_length() > 8 * MOST_CHARACTERS:
        return f"an integer of {argument.bit_length():,} bits"
    return _shown(repr(argument))


def _shown(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
