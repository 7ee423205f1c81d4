"""The journal of a run: what is noted stays, whatever ends the process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway_project.warming.journal import BadJournal, Journal

ONE, TWO = "0" * 32, "1" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.warm-state"


def opened(path: Path, **options: bool) -> Journal:
    return Journal(path, **{"refresh": False, "restart": False, **options})


def left_by_another(path: Path, *names: str) -> None:
    journal = opened(path)
    for name in names:
        journal.add(name)
    journal.close(keep=True)


def test_the_next_one_knows_what_was_done(path: Path):
    left_by_another(path, ONE)
    left_by_another(path, TWO)
    journal = opened(path)
    assert journal.done == {ONE, TWO}
    journal.close(keep=True)


def test_after_a_whole_run_nothing_is_left(path: Path):
    journal = opened(path)
    journal.add(ONE)
    journal.close(keep=False)
    assert not path.exists()


def test_what_is_noted_is_on_the_disk_soon(path: Path):
    now = 0.0
    journal = Journal(path, refresh=False, restart=False, clock=lambda: now)
    journal.add(ONE)
    assert ONE not in path.read_text()
    now = 1.0
    journal.add(TWO)
    assert path.read_text().splitlines()[1:] == [ONE, TWO]
    journal.close(keep=True)


def test_half_a_line_is_as_none(path: Path):
    left_by_another(path, ONE)
    with path.open("a") as file:
        file.write(TWO[:7])
    left_by_another(path, TWO)
    assert path.read_text().splitlines()[1:] == [ONE, TWO]


def test_two_runs_do_not_share_one(path: Path):
    journal = opened(path)
    with pytest.raises(BadJournal, match=r"Another run uses .*; wait for it, or choose another"):
        opened(path)
    journal.close(keep=True)


def test_restart_begins_anew(path: Path):
    left_by_another(path, ONE)
    journal = opened(path, restart=True, refresh=True)
    assert journal.done == set()
    journal.close(keep=True)
    assert json.loads(path.read_text()) == {"kind": "gateway_warm", "version": 1, "refresh": True}


@pytest.mark.parametrize("text", ["x\n", "[]\n", '{"kind": "other"}\n', "ä\n", "{"])
@pytest.mark.parametrize("restart", [True, False])
def test_a_file_of_somebody_else_is_left_alone(path: Path, text: str, restart: bool):
    path.write_text(text)
    with pytest.raises(BadJournal, match="is no state of gateway_warm"):
        opened(path, restart=restart)
    assert path.read_text() == text


def test_a_folder_that_is_not_there_is_told(path: Path):
    with pytest.raises(BadJournal, match="No such file or directory; choose another with --state"):
        opened(path.parent / "none" / "state")
