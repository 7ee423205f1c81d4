"""Sitemaps: what they name, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_project.warming import lists
from gateway_project.warming.lists import BadSource
from gateway_project.warming.sitemaps import NAMESPACE, read


def urlset(*locs: str) -> str:
    urls = "\n".join(f"<url><loc>{loc}</loc><priority>1</priority></url>" for loc in locs)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{NAMESPACE}">\n{urls}\n</urlset>'
    )


def index(*locs: str) -> str:
    parts = "\n".join(f"<sitemap><loc>{loc}</loc></sitemap>" for loc in locs)
    return f'<sitemapindex xmlns="{NAMESPACE}">\n{parts}\n</sitemapindex>'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sitemap.xml"


def test_it_names_addresses_and_their_lines(file: Path):
    file.write_text(urlset(" https://h/a?x=1&amp;y=2\n", "https://h/b"))
    lines, mistakes = read(file)
    assert [(one.text, one.number) for one in lines] == [
        ("https://h/a?x=1&y=2", 3),
        ("https://h/b", 5),
    ]
    assert mistakes == []


def test_locations_of_extensions_are_no_addresses(file: Path):
    image = '<i:image xmlns:i="urn:i"><i:loc>/i</i:loc></i:image>'
    file.write_text(urlset("/a").replace("<priority>", f"{image}<priority>"))
    assert [one.text for one in read(file)[0]] == ["/a"]


def test_an_index_names_files_beside_it(file: Path):
    for name in ("one", "two"):
        (file.parent / f"{name}.xml").write_text(urlset(f"/{name}"))
    file.write_text(index("one.xml", "two.xml"))
    assert [one.text for one in read(file)[0]] == ["/one", "/two"]


@pytest.mark.parametrize(
    ("loc", "said"),
    [
        ("https://h/one.xml", "is not fetched; allowed: the name of a file beside the index"),
        ("file:///etc/passwd", "is not fetched"),
        ("../one.xml", "is not in the folder of the index"),
        ("/etc/passwd", "is not in the folder of the index"),
        ("", "is not in the folder of the index"),
    ],
)
def test_an_index_names_nothing_else(file: Path, loc: str, said: str):
    file.write_text(index(loc))
    lines, mistakes = read(file)
    assert lines == []
    assert said in str(mistakes[0])
    assert mistakes[0].number == 2


def test_a_link_out_of_the_folder_is_not_followed(
    file: Path, tmp_path_factory: pytest.TempPathFactory
):
    outside = tmp_path_factory.mktemp("outside") / "one.xml"
    outside.write_text(urlset("/a"))
    (file.parent / "one.xml").symlink_to(outside)
    file.write_text(index("one.xml"))
    assert read(file)[0] == []


def test_an_index_in_an_index_is_refused(file: Path):
    (file.parent / "one.xml").write_text(index("sitemap.xml"))
    file.write_text(index("one.xml"))
    with pytest.raises(BadSource, match=r":2: .*one.xml is an index itself"):
        read(file)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE urlset>",
        '<!DOCTYPE urlset [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE urlset [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE urlset SYSTEM "http://127.0.0.1:1/x.dtd">',
    ],
)
def test_a_document_type_is_refused(file: Path, doctype: str):
    file.write_text(urlset("/a").replace("<urlset", f"{doctype}<urlset"))
    with pytest.raises(BadSource, match="It has a DOCTYPE"):
        read(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "It is not XML: no element found"),
        ("<urlset", "It is not XML"),
        (urlset("&a;"), "It is not XML: undefined entity"),
        ("<html/>", r"It begins with <html>; allowed: <urlset> or <sitemapindex>"),
        ("<urlset/>", r"It begins with <urlset>; allowed: .* of the namespace"),
        (urlset("<a>" * 20 + "</a>" * 20), "More than 16 elements are nested"),
        (urlset("x" * 20_000), "A <loc> has more than 16384 characters"),
    ],
)
def test_what_is_no_sitemap_is_refused(file: Path, text: str, said: str):
    file.write_text(text)
    with pytest.raises(BadSource, match=said):
        read(file)


def test_a_file_that_is_too_large_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch):
    file.write_text(urlset("/a"))
    monkeypatch.setattr(lists, "LARGEST", 10)
    with pytest.raises(BadSource, match="is too large; allowed are 10 bytes"):
        read(file)
