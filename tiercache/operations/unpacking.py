"""Decompress a part of a value: bounded on both sides, whatever the bytes claim to become."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.utils.module_loading import import_string

MOST: Final = 64 * 1024
"""Bytes that come out at the most."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class Unpacked(NamedTuple):
    """What a value's bytes become.

    Attributes:
        data: the first of them, at most `MOST`.
        by: the format's name; "" where the bytes were not compressed.
        whole: whether that is all there is.
    """

    data: bytes
    by: str
    whole: bool


def unpack(raw: bytes, compressor: str, *, whole: bool) -> Unpacked:
    """Decompress the beginning of a value as a cache's compressor would.

    What it did not compress, since it was short or another cache wrote it, stays as it is.

    Args:
        raw: the value's first bytes.
        compressor: the dotted path of one of django-redis's compressors, or of one derived from
            them; another's code is not run.
        whole: whether they are all of the value.
    """
    as_it_is = Unpacked(raw[:MOST], "", whole and len(raw) <= MOST)
    name, start = _format_of(compressor)
    try:
        data, over = start(raw)
    except Exception:  # noqa: BLE001 - each library raises its own; then it is not that format
        return as_it_is
    begun = over or (data and (len(data) == MOST or not whole))
    return Unpacked(data, name, over) if name and begun else as_it_is


def _format_of(compressor: str) -> tuple[str, Callable[[bytes], tuple[bytes, bool]]]:
    module = _module_of(compressor)
    return _FORMATS.get(module.removeprefix("django_redis.compressors."), ("", _nothing))


def _module_of(compressor: str) -> str:
    """Return the module of django-redis that a compressor's class comes from, or derives from."""
    kind = import_string(compressor)
    bases = [base.__module__ for base in kind.__mro__]
    return next((name for name in bases if name in _MODULES), "")


def _nothing(raw: bytes) -> tuple[bytes, bool]:
    return raw, True


def _by_zlib(wbits: int) -> Callable[[bytes], tuple[bytes, bool]]:
    def start(raw: bytes) -> tuple[bytes, bool]:
        stream = zlib.decompressobj(wbits)
        return stream.decompress(raw, MOST), stream.eof

    return start


def _by_lzma(raw: bytes) -> tuple[bytes, bool]:
    # 64 MiB is room for the window of every preset; a header that asks for more is refused.
    stream = lzma.LZMADecompressor(memlimit=64 * 2**20)
    return stream.decompress(raw, MOST), stream.eof


def _by_lz4(raw: bytes) -> tuple[bytes, bool]:
    from lz4.frame import LZ4FrameDecompressor

    stream = LZ4FrameDecompressor()
    return stream.decompress(raw, MOST), stream.eof


def _by_zstd(raw: bytes) -> tuple[bytes, bool]:
    import pyzstd

    options: Any = {pyzstd.DParameter.windowLogMax: 26}
    stream = pyzstd.ZstdDecompressor(option=options)
    return stream.decompress(raw, MOST), stream.eof


_FORMATS: Final[dict[str, tuple[str, Callable[[bytes], tuple[bytes, bool]]]]] = {
    "zlib": ("zlib", _by_zlib(zlib.MAX_WBITS)),
    "gzip": ("gzip", _by_zlib(_GZIP)),
    "lzma": ("lzma", _by_lzma),
    "lz4": ("lz4", _by_lz4),
    "zstd": ("zstd", _by_zstd),
}
_MODULES: Final = frozenset(f"django_redis.compressors.{name}" for name in _FORMATS)
