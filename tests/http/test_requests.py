"""What no request may have that is passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercache.http import requests
from tiercache.http.fields import Fields
from tiercache.http.requests import BadRequest

HOST = ("Host", "api.example")
VERSIONS = ["1.0", "1.1", "2", "3"]


def refusal(*lines: tuple[str, str], version: str = "1.1") -> str:
    with pytest.raises(BadRequest) as caught:
        requests.check(Fields(lines), version)
    return str(caught.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_ordinary_request_passes(version: str) -> None:
    lines = [HOST, ("Accept", "*/*\t, a/b"), ("X-Name", "\xfc"), ("Content-Length", "0")]
    requests.check(Fields(lines), version)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com:8000",
        "EXAMPLE.com.",
        "localhost:",
        "127.0.0.1:65535",
        "[::1]",
        "[2001:db8::1]:80",
        "[::ffff:192.0.2.1]",
        "my_service-1:80",
    ],
)
def test_a_host_is_a_name_or_an_address_and_a_port(host: str) -> None:
    requests.check(Fields([("Host", host)]), "1.1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a/b",
        "a@b",
        "user:secret@a",
        "http://a",
        "a,b",
        "a:b",
        "a:65536",
        "a:123456",
        "a:" + "1" * 5000,
        "a:-1",
        ":80",
        "[::1",
        "::1",
        "[::1%eth0]",
        "[1]",
        "[:::]",
        "a%41",
        ".a",
        "a\u0661",
        "a?b",
        "a#b",
        "x" * 256,
    ],
)
def test_another_host_is_refused(host: str) -> None:
    assert "Host is" in refusal(("Host", host))


@pytest.mark.parametrize("version", VERSIONS)
def test_two_hosts_are_refused_even_if_they_are_the_same(version: str) -> None:
    assert "2 Host fields" in refusal(HOST, HOST, version=version)


@pytest.mark.parametrize("version", ["1.1", "2", "3"])
def test_a_request_without_host_is_refused(version: str) -> None:
    assert "0 Host fields" in refusal(version=version)


def test_a_request_without_host_passes_in_the_version_that_had_none() -> None:
    requests.check(Fields(), "1.0")


@pytest.mark.parametrize(
    "length", ["", "-1", "+1", "1.0", "0x1", "1, 1", "1 1", "\u0661", "9" * 19]
)
def test_a_length_of_other_than_digits_is_refused(length: str) -> None:
    assert "1 to 18 digits" in refusal(HOST, ("Content-Length", length))


@pytest.mark.parametrize("other", ["1", "2"])
def test_two_lengths_are_refused(other: str) -> None:
    lines = [HOST, ("Content-Length", "1"), ("Content-Length", other)]
    assert "2 Content-Length fields" in refusal(*lines)


def test_a_length_beside_a_transfer_coding_is_refused() -> None:
    lines = [HOST, ("Content-Length", "1"), ("Transfer-Encoding", "chunked")]
    assert "one of them" in refusal(*lines)


def test_chunks_pass() -> None:
    requests.check(Fields([HOST, ("Transfer-Encoding", "Chunked")]), "1.1")


@pytest.mark.parametrize(
    "coding", ["", "gzip", "gzip, chunked", "chunked, chunked", "xchunked", "chunked;a"]
)
def test_another_transfer_coding_is_refused(coding: str) -> None:
    assert "allowed: chunked" in refusal(HOST, ("Transfer-Encoding", coding))


def test_a_transfer_coding_is_refused_in_the_version_that_had_none() -> None:
    assert "HTTP/1.0" in refusal(HOST, ("Transfer-Encoding", "chunked"), version="1.0")


@pytest.mark.parametrize("name", ["Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade"])
def test_fields_of_one_connection_are_refused_where_frames_replace_them(name: str) -> None:
    requests.check(Fields([HOST, (name, "chunked")]), "1.1")
    assert f"HTTP/2 has no {name.lower()}" in refusal(HOST, (name, "chunked"), version="2")


def test_te_names_trailers_alone_in_later_versions() -> None:
    requests.check(Fields([HOST, ("TE", "gzip")]), "1.1")
    requests.check(Fields([HOST, ("TE", "Trailers")]), "2")
    assert "allowed in HTTP/3: trailers" in refusal(HOST, ("TE", "gzip"), version="3")


@pytest.mark.parametrize("name", ["", "a b", "a:", ":authority", "a\n", "ü", "a\x00", "X_Api_Key"])
def test_a_name_that_is_no_token_or_stands_for_another_is_refused(name: str) -> None:
    assert "allowed: a token without _" in refusal(HOST, (name, "x"))


@pytest.mark.parametrize("char", ["\r", "\n", "\x00", "\r\n b", "\x0b", "\x1f", "\x7f"])
def test_a_control_in_a_value_is_refused(char: str) -> None:
    assert "no control but a tab" in refusal(HOST, ("X-A", f"a{char}b"))


def test_so_many_fields_pass_and_no_more() -> None:
    most = [HOST, *[("X-A", "")] * (requests.MOST_FIELDS - 1)]
    requests.check(Fields(most), "1.1")
    with pytest.raises(BadRequest, match="101 fields; allowed: at most 100") as caught:
        requests.check(Fields([*most, ("X-A", "")]), "1.1")
    assert caught.value.status == 431


def test_so_many_bytes_pass_and_no_more() -> None:
    size = requests.MOST_BYTES - sum(map(len, HOST)) - len("x-a")
    requests.check(Fields([HOST, ("X-A", "x" * size)]), "1.1")
    with pytest.raises(BadRequest, match="32769 bytes; allowed: at most 32768") as caught:
        requests.check(Fields([HOST, ("X-A", "x" * (size + 1))]), "1.1")
    assert caught.value.status == 431


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(["Host", "Content-Length", "TE", "Transfer-Encoding", "X_A"]),
                st.text(max_size=4),
            ),
            st.one_of(st.sampled_from(["a", "[::1]:1", "chunked", "1"]), st.text(max_size=9)),
        ),
        max_size=5,
    ),
    st.sampled_from(VERSIONS),
)
def test_a_request_passes_or_is_refused(lines: list[tuple[str, str]], version: str) -> None:
    fields = Fields(lines)
    try:
        requests.check(fields, version)
    except BadRequest:
        return
    assert len(fields.lines("host")) <= 1
    assert len(fields.lines("content-length")) <= 1
    assert not any("\n" in value or "_" in name for name, value in fields)
