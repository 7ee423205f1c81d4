"""Values to bytes and back, byte for byte as django-redis does it, and to copies for memory.

Integers are bare; everything else goes through the serializer, then the compressor
(django-redis, `DefaultClient.encode`).
"""

from __future__ import annotations

import datetime
import decimal
import pickle
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from enum import Enum
from sys import getsizeof
from typing import Any, NamedTuple

from django.utils.module_loading import import_string
from django.utils.safestring import SafeString

from .entry import PLAIN, SERIALIZED, Copy
from .exceptions import Undecodable
from .molds import Mold, mold
from .steps import Raw

PICKLE = "django_redis.serializers.pickle.PickleSerializer"
IDENTITY = "django_redis.compressors.identity.IdentityCompressor"

_JSON_ATOMS: frozenset[type] = frozenset({str, bool, float, type(None)})
_PICKLE_ATOMS: frozenset[type] = _JSON_ATOMS | {
    bytes,
    complex,
    SafeString,
    datetime.date,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
}
_TIMES = frozenset({datetime.datetime, datetime.time})
_ZONES = frozenset({type(None), datetime.timezone, zoneinfo.ZoneInfo})
_GROUPS = frozenset({tuple, frozenset})

FOLD_IS_KEPT = 4
"""The pickle protocol from which on a time keeps its `fold` (PEP 495)."""

ATOMS: Mapping[str, frozenset[type]] = {
    PICKLE: _PICKLE_ATOMS,
    "django_redis.serializers.json.JSONSerializer": _JSON_ATOMS,
    "django_redis.serializers.msgpack.MSGPackSerializer": _JSON_ATOMS | {bytes},
}
"""For each serializer the immutable types that come back from it as they went in."""

# What int() accepts may begin with these; asking first spares most values a failed int().
_INT_HEADS = frozenset(b"+-0123456789_ \t\n\r\x0b\x0c")


class Packed(NamedTuple):
    """A value, ready for both tiers."""

    raw: Raw
    copy: Copy


class Codec:
    """One value format: a serializer and a compressor, by their dotted paths.

    Args:
        dumps, loads: the serializer's.
        compress, decompress: the compressor's.
        atoms: immutable types that survive the serializer; such values are held as they are.
        pickles: whether the serializer is pickle: then tuples and frozensets of atoms are held as
            they are, too, and objects may have molds.
        times: whether times of day come back with their `fold` (pickle's protocol 4 and later).
    """

    def __init__(
        self,
        *,
        dumps: Callable[[Any], bytes],
        loads: Callable[[bytes], Any],
        compress: Callable[[bytes], bytes],
        decompress: Callable[[bytes], bytes],
        atoms: frozenset[type],
        pickles: bool,
        times: bool = True,
    ) -> None:
        self.loads = loads
        self._dumps = dumps
        self._compress = compress
        self._decompress = decompress
        self._atoms = atoms
        self._pickles = pickles
        self._times = _TIMES if times else frozenset()

    def pack(self, value: Any) -> Packed:
        """Make the bytes for Redis and the copy for memory.

        Raises:
            Exception: whatever the serializer raises for a value that it cannot carry.
        """
        if isinstance(value, int) and not isinstance(value, bool | Enum):
            number = int(value)
            return Packed(number, Copy(number, PLAIN, getsizeof(number)))
        data = self._dumps(value)
        raw = self._compress(data)
        if raw and raw[0] in _INT_HEADS and isinstance(value, Enum):
            # What looks like an integer comes back as one (msgpack writes small ones in a byte).
            return Packed(raw, self.unpack(raw)[1])
        return Packed(raw, self._copy(value, data))

    def unpack(self, raw: Raw) -> tuple[Any, Copy]:
        """Make the value and the copy for memory from what Redis holds.

        Raises:
            Undecodable: the bytes are not this format's.
        """
        try:
            if isinstance(raw, int) or (raw and raw[0] in _INT_HEADS):
                try:
                    number = int(raw)
                except ValueError:
                    pass
                else:
                    return number, Copy(number, PLAIN, getsizeof(number))
            assert isinstance(raw, bytes)  # noqa: S101 - an int has been returned
            data = self._decompress(raw)
            value = self.loads(data)
        except Exception as exc:
            # Foreign bytes may make a serializer raise anything, and so may an unknown class.
            raise Undecodable(f"{type(exc).__name__}: {exc}") from exc
        return value, self._copy(value, data)

    def mold(self, data: bytes) -> Mold | None:
        """Return what makes the value of a `SERIALIZED` copy faster than the serializer, if any."""
        if not self._pickles:
            return None
        return mold(data, self.loads, self._dumps, self._size_if_immutable)

    def _copy(self, value: Any, data: bytes) -> Copy:
        try:
            size = self._size_if_immutable(value)
        except RecursionError:
            size = None
        if size is None:
            return Copy(data, SERIALIZED, getsizeof(data))
        return Copy(value, PLAIN, size)

    def _size_if_immutable(self, value: Any) -> int | None:
        """Bytes that an immutable value takes, None if it is not (all) immutable."""
        kind = type(value)
        if kind in self._atoms or kind is int:
            return getsizeof(value)
        if not self._pickles:
            return None
        if kind in self._times:
            return getsizeof(value) if type(value.tzinfo) in _ZONES else None
        if kind not in _GROUPS:
            return None
        total = getsizeof(value)
        for item in value:
            size = self._size_if_immutable(item)
            if size is None:
                return None
            total += size
        return total


def pickle_codec() -> Codec:
    """Make the format of a cache that has no Redis tier; imports no django-redis."""
    return Codec(
        dumps=lambda value: pickle.dumps(value, pickle.HIGHEST_PROTOCOL),
        loads=pickle.loads,
        compress=lambda data: data,
        decompress=lambda data: data,
        atoms=_PICKLE_ATOMS,
        pickles=True,
    )


def make_codec(options: Mapping[str, Any]) -> Codec:
    """Make the format that django-redis would use with these `OPTIONS`."""
    from django_redis.exceptions import CompressorError

    serializer_path = options.get("SERIALIZER", PICKLE)
    compressor_path = options.get("COMPRESSOR", IDENTITY)
    serializer = import_string(serializer_path)(options=options)
    compressor = import_string(compressor_path)(options=options)

    def decompress(raw: bytes) -> bytes:
        try:
            result: bytes = compressor.decompress(raw)
        except CompressorError:
            # Short values are stored as they are.
            return raw
        return result

    return Codec(
        dumps=serializer.dumps,
        loads=serializer.loads,
        compress=compressor.compress,
        decompress=decompress if compressor_path != IDENTITY else compressor.decompress,
        atoms=ATOMS.get(serializer_path, frozenset()),
        pickles=serializer_path == PICKLE,
        times=int(options.get("PICKLE_VERSION", pickle.DEFAULT_PROTOCOL)) % 256 >= FOLD_IS_KEPT,
    )
