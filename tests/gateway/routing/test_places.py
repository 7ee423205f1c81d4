"""Where tables and keys stand in a TOML text."""

from __future__ import annotations

import pytest

from gateway_project.routing.places import Place, Places

TEXT = '''
top = """
[[routes]]
"""
[pools.main]  # [[routes]]
servers = [
    "[pools.other]",
    "=",
    ["other"],
]
"quoted name" = 1
dotted.key = 2

[[routes]]
name = 'a]'
inline = { name = 1 }
[routes.more]
deep = 1
[[routes]]
[[routes]]
name = "c"
[pools."with.dot"]
servers = 1
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("pools",), 5),
        (("pools", "main"), 5),
        (("pools", "main", "servers"), 6),
        (("pools", "main", "quoted name"), 11),
        (("pools", "main", "dotted", "key"), 12),
        (("routes", 0), 14),
        (("routes", 0, "name"), 15),
        (("routes", 0, "inline", "name"), 16),
        (("routes", 0, "more", "deep"), 18),
        (("routes", 1), 19),
        (("routes", 1, "name"), 19),
        (("routes", 2, "name"), 21),
        (("pools", "with.dot", "servers"), 23),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_place(place: Place, line: int):
    assert Places(TEXT).line(place) == line
