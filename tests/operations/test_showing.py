"""Values as text: never loaded, never unbounded, whatever the bytes are."""

from __future__ import annotations

import datetime
import gzip
import json
import lzma
import os
import pickle
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import lz4.frame
import msgpack
import pytest
import pyzstd
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stopwatch import timed
from tiercache.codec import make_codec
from tiercache.operations.showing import HEX, READ, show

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}
MSGPACK = {"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"}
COMPRESSORS = {
    "zlib": ("zlib.ZlibCompressor", zlib.compress),
    "gzip": ("gzip.GzipCompressor", gzip.compress),
    "lzma": ("lzma.LzmaCompressor", lzma.compress),
    "lz4": ("lz4.Lz4Compressor", lz4.frame.compress),
    "zstd": ("zstd.ZStdCompressor", pyzstd.compress),
}
MEGABYTES = 2**20


def compressed_by(name: str) -> dict[str, str]:
    return {"COMPRESSOR": f"django_redis.compressors.{COMPRESSORS[name][0]}"}


class RunsCode:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class TestPickles:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_pickle_is_told_by_its_opcodes_and_runs_nothing(
        self, tmp_path: Path, protocol: int
    ) -> None:
        path = tmp_path / "made"
        shown = show(pickle.dumps(RunsCode(path), protocol), {})
        assert shown.kind == "pickle"
        assert "posix.mkdir" in shown.text
        assert str(path) in shown.text
        assert "would call it" in shown.text
        assert not path.exists()

    def test_texts_numbers_and_classes_are_said(self) -> None:
        value = {"name": "Ada", "born": datetime.date(1815, 12, 10), "ratio": 1.5}
        text = show(pickle.dumps(value), {}).text
        assert "'Ada'" in text
        assert "datetime.date" in text
        assert "1.5" in text

    def test_a_class_that_is_named_by_reference_is_told(self) -> None:
        dates = [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)]  # noqa: DTZ001
        text = show(pickle.dumps(dates), {}).text
        assert "class datetime.date\n" in text
        assert "class datetime.datetime\n" in text

    def test_a_long_text_that_is_cut_off_is_shown_from_its_beginning(self) -> None:
        raw = pickle.dumps("begin " + "x" * 10**6)
        shown = show(raw[:READ], {}, size=len(raw))
        assert "begin" in shown.text
        assert shown.cut

    def test_a_pickle_of_very_many_things_is_cut(self) -> None:
        raw = pickle.dumps(list(range(10**6)))
        shown, seconds = timed(show, raw[:READ], {}, size=len(raw))
        assert shown.cut
        assert len(shown.text.splitlines()) <= 500
        assert seconds < 0.2

    @pytest.mark.parametrize(
        "raw",
        [
            pickle.dumps(10**30000),
            b"I" + b"9" * 60_000 + b"\n.",
            b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
            b"\x80\x05\x8b\xff\xff\xff\x7f.",
            b"\x80\x04" + b"(" * 60_000 + b".",
            b"\x80\x04h\x05\x93.",
        ],
        ids=["integer", "decimal", "length", "length of integer", "marks", "memo"],
    )
    def test_a_hostile_pickle_costs_nothing(self, raw: bytes) -> None:
        shown, seconds = timed(show, raw, {})
        assert len(shown.text) < 100_000
        assert seconds < 0.2


class TestTexts:
    def test_json_is_indented(self) -> None:
        shown = show(b'{"a":[1,"<b>"]}', JSON)
        assert (shown.kind, shown.decodable) == ("json", True)
        assert json.loads(shown.text) == {"a": [1, "<b>"]}
        assert "\n" in shown.text

    @pytest.mark.parametrize("depth", [50, 900, 30_000])
    def test_deep_json_is_shown_as_it_is(self, depth: int) -> None:
        raw = b"[" * depth + b"]" * depth
        shown, seconds = timed(show, raw, JSON)
        assert shown.text == raw.decode()
        assert seconds < 0.2

    def test_an_integer_is_one_whatever_the_serializer(self) -> None:
        assert show(b"-42", {}).kind == "integer"
        assert show(b"-42", JSON).decodable is True

    def test_a_text_that_is_cut_within_a_character_is_text(self) -> None:
        raw = "ä".encode() * READ
        shown = show(raw[: READ - 1], JSON, size=len(raw))
        assert shown.kind in ("json", "text")
        assert shown.cut

    def test_msgpack_is_shown_as_its_values(self) -> None:
        shown = show(msgpack.packb({"a": [1, 2.5], 3: b"x", "n": None}), MSGPACK)
        assert (shown.kind, shown.decodable) == ("msgpack", True)
        assert shown.text == "{'a': [1, 2.5], 3: b'x', 'n': None}"

    @pytest.mark.parametrize("raw", [b"\xdf\xff\xff\xff\xff", b"\x91" * 60_000, b"\xc6\xff\xff"])
    def test_hostile_msgpack_is_shown_in_hex(self, raw: bytes) -> None:
        assert show(raw, MSGPACK).kind == "hex"

    def test_what_is_nothing_known_is_the_first_kibibyte_in_hex(self) -> None:
        shown = show(bytes(range(256)) * 100, JSON)
        assert (shown.kind, shown.cut, shown.decodable) == ("hex", True, None)
        assert shown.text.startswith("0000  00 01 02 03")
        assert len(shown.text.splitlines()) == HEX // 16

    def test_lone_surrogates_can_be_sent(self) -> None:
        show(pickle.dumps("\ud800"), {}).text.encode()


class TestCompression:
    @pytest.mark.parametrize("name", COMPRESSORS)
    def test_a_compressed_value_is_shown_unpacked(self, name: str) -> None:
        codec = make_codec({**JSON, **compressed_by(name)})
        raw = codec.pack({"text": "word " * 200}).raw
        shown = show(raw, {**JSON, **compressed_by(name)})
        assert (shown.kind, shown.compressed, shown.decodable) == ("json", name, True)
        assert shown.size == len(raw)

    @pytest.mark.parametrize("name", COMPRESSORS)
    def test_what_was_too_short_to_be_compressed_is_shown_as_it_is(self, name: str) -> None:
        shown = show(b'"short"', {**JSON, **compressed_by(name)})
        assert (shown.kind, shown.compressed) == ("json", "")

    @pytest.mark.parametrize("name", COMPRESSORS)
    def test_a_bomb_becomes_no_more_than_is_shown(self, name: str) -> None:
        bomb = COMPRESSORS[name][1](b"a" * 30 * MEGABYTES)
        tracemalloc.start()
        shown, seconds = timed(show, bomb[:READ], compressed_by(name), size=len(bomb))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (shown.compressed, shown.cut) == (name, True)
        assert len(shown.text) <= READ
        assert peak < 16 * MEGABYTES
        assert seconds < 0.5

    @pytest.mark.parametrize("name", COMPRESSORS)
    def test_a_damaged_one_is_shown_in_hex(self, name: str) -> None:
        raw = COMPRESSORS[name][1](os.urandom(200))
        damaged = raw[:30] + b"\xff\xfe" * 30
        assert show(damaged, {**JSON, **compressed_by(name)}).kind == "hex"

    def test_another_compressors_code_is_not_run(self) -> None:
        options = {"COMPRESSOR": "tests.operations.test_showing.Foreign"}
        assert show(b"\xffabc", options).kind == "hex"


class Foreign:
    """A compressor of the site's own."""

    def decompress(self, raw: bytes) -> bytes:
        raise AssertionError("it was run")


@given(st.binary(max_size=2000), st.sampled_from([{}, JSON, MSGPACK]))
def test_any_bytes_are_shown(raw: bytes, options: dict[str, str]) -> None:
    shown = show(raw, options)
    shown.text.encode()
    assert shown.size == len(raw)


@given(st.binary(max_size=300), st.sampled_from(sorted(COMPRESSORS)))
def test_any_compressed_bytes_are_shown(raw: bytes, name: str) -> None:
    packed = COMPRESSORS[name][1](raw)
    assert show(packed, compressed_by(name)).size == len(packed)
