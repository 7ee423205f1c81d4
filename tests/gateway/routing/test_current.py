"""The process's table: read once, read anew when asked, and kept when the file is bad."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.test import override_settings

from gateway_project.routing import current
from gateway_project.routing.mistakes import BadRoutes
from tests.gateway.routing.support import routes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = routes({"path": "/a"})
OTHER = routes({"path": "/a"}, {"path": "/b"})
BAD = routes({"path": "a"})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The routes file of this process."""
    path = tmp_path / "routes.toml"
    path.write_text(GOOD)
    with override_settings(GATEWAY_ROUTES=path):
        yield path


def test_the_file_is_read_once(file: Path):
    first = current.table()
    file.write_text(OTHER)

    assert current.table() is first


def test_threads_that_come_first_get_one_table(file: Path):
    with ThreadPoolExecutor(8) as pool:
        tables = {id(one) for one in pool.map(lambda _: current.table(), range(32))}

    assert len(tables) == 1


def test_a_bad_file_is_an_error_on_first_use(file: Path):
    file.write_text(BAD)

    with pytest.raises(BadRoutes):
        current.table()


def test_a_reload_puts_the_changed_file_in_force(file: Path):
    assert len(current.table().routes) == 1
    file.write_text(OTHER)

    assert current.reload() is current.table()
    assert len(current.table().routes) == 2


def test_a_bad_file_leaves_the_old_table_in_force(file: Path, caplog: pytest.LogCaptureFixture):
    before = current.table()
    file.write_text(BAD)

    with caplog.at_level(logging.ERROR, "gateway.routes"), pytest.raises(BadRoutes):
        current.reload()

    assert current.table() is before
    assert "path must begin with a slash" in caplog.text


def test_a_hangup_raises_nothing(file: Path, caplog: pytest.LogCaptureFixture):
    before = current.table()
    file.write_text(BAD)

    current.on_hangup()

    assert current.table() is before
    assert "The routes stay as they are" in caplog.text
