"""What is said of a pool: checked, and refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway_project.upstreams import Pool, PoolOptions

SERVER = "http://127.0.0.1:9001"


def test_servers_are_all_that_must_be_said():
    assert PoolOptions(servers=(SERVER,)).timeout == 2.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"servers": ()}, "servers must list one base address at least"),
        ({"servers": ("127.0.0.1:9001",)}, "servers must list base addresses"),
        ({"servers": ("ftp://127.0.0.1",)}, "not 'ftp://127.0.0.1'"),
        ({"servers": ("http://a:0",)}, "not 'http://a:0'"),
        ({"servers": ("http://a:99999",)}, "not 'http://a:99999'"),
        ({"servers": ("http://a/?x=1",)}, "servers must list base addresses"),
        ({"servers": ("http://me:secret@a",)}, "servers must list base addresses"),
        ({"servers": (SERVER, SERVER + "/")}, "servers must list no address twice"),
        ({"servers": ("http://a:1", "https://a:1")}, "servers must list no address twice"),
        ({"timeout": 0.0}, "timeout must be a number of seconds above 0, not 0.0"),
        ({"connect_timeout": -1.0}, "connect_timeout must be a number"),
        ({"probe_every": float("inf")}, "probe_every must be a number"),
        ({"keep_alive": float("nan")}, "keep_alive must be a number"),
        ({"back_off": 40.0}, "back_off_most .30.0. must not be less than back_off .40.0."),
        ({"failures": 0}, "failures must be a whole number above 0, not 0"),
        ({"most_connections": 1.5}, "most_connections must be a whole number above 0"),
        ({"policy": "random"}, "policy must be 'first' or 'spread', not 'random'"),
        ({"probe": "healthz"}, "probe must be a path that begins with '/'"),
        ({"probe": "/a b"}, "of visible ASCII characters, not '/a b'"),
        ({"host": ""}, "host must be a name, perhaps with a port, not ''"),
        ({"host": "a\r\nX-Evil: 1"}, "host must be a name"),
        ({"http1": False, "http2": False}, "http1 and http2 must not both be False"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        PoolOptions(**{"servers": (SERVER,), **options})


def test_a_file_of_authorities_that_is_not_there_is_noticed_when_the_pool_is_made():
    options = PoolOptions(servers=("https://127.0.0.1",), trust=Path("/nowhere/ca.pem"))

    with pytest.raises(FileNotFoundError):
        Pool("prices", options)
