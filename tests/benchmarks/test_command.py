"""`python -m benchmarks`: its arguments, what it writes, and parts that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as command
from benchmarks import measuring, page, parts, running
from benchmarks.page import summary
from benchmarks.part import Part, Result, Run
from benchmarks.report import Report
from tests.benchmarks.made import a_report, a_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Valkey

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page is written into."""
    folder = tmp_path / "docs"
    folder.mkdir()
    monkeypatch.setattr(command, "DOCS", folder)
    readme = tmp_path / "README.md"
    for path in (readme, folder / "comparison.md"):
        path.write_text(f"Before.\n\n{summary.BEGIN}\nold\n{summary.END}\n\nAfter.\n")
    monkeypatch.setattr(command, "README", readme)
    return folder


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], bool]]:
    """What was run, by the names of parts and whether it was quick; nothing is."""
    made: list[tuple[list[str], bool]] = []

    def run(found: list[str], *, quick: bool) -> Any:
        made.append((list(found), quick))
        return a_report(quick=quick)

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "find", lambda name: name)
    return made


@pytest.fixture
def on_valkey(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs use the tests' server, and leave the log as it is."""

    @contextmanager
    def server() -> Iterator[str]:
        yield valkey.url

    monkeypatch.setattr(running, "server", server)


def a_part(name: str, measure: Any) -> Part:
    return Part(name, name.title(), lambda run: 2, measure)


def test_all_parts_are_run_in_the_order_of_the_page(runs: Any):
    assert command.main([]) == 0
    assert runs == [(list(parts.MODULES), False)]


def test_parts_are_chosen_by_name_and_keep_their_order(runs: Any):
    command.main(["--quick", "--only", "memory, threads"])
    assert runs == [(["threads", "memory"], True)]


def test_an_unknown_part_is_refused_with_the_names_that_are_allowed(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "threads,speed"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "there is no part 'speed'; allowed: operations, threads, asyncio" in said


def test_a_whole_run_writes_figures_and_page(runs: Any, docs: Path):
    command.main([])
    assert json.loads((docs / page.FIGURES).read_text())["about"]["quick"] is False
    assert (docs / page.PAGE).read_text().startswith("# Performance")


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "threads"]])
def test_a_part_of_a_run_leaves_the_docs_alone_and_says_so(
    runs: Any, docs: Path, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    figures = tmp_path / "figures.json"
    before = {path: path.read_text() for path in docs.iterdir()}
    command.main([*arguments, "--json", str(figures)])
    assert {path: path.read_text() for path in docs.iterdir()} == before
    assert "nothing was written into docs" in capsys.readouterr().err
    assert json.loads(figures.read_text())["parts"]


def test_the_page_is_made_anew_without_measuring(runs: Any, docs: Path, tmp_path: Path):
    figures = tmp_path / "figures.json"
    figures.write_text(a_report().to_json())
    assert command.main(["--page", str(figures)]) == 0
    assert runs == []
    assert (docs / page.PAGE).exists()


def test_a_page_of_a_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        command.main(["--page", "nowhere.json"])
    assert "there is no file nowhere.json" in capsys.readouterr().err


@pytest.mark.usefixtures("on_valkey")
def test_a_part_that_fails_is_recorded_and_the_others_go_on(capsys: pytest.CaptureFixture[str]):
    def fail(run: Run) -> Result:
        raise OSError("no more\nof them")

    after = a_part("after", lambda run: Result([a_table()]))
    report = running.run([a_part("failing", fail), after], quick=True)
    assert [done.error for done in report.parts] == ["OSError: no more of them", ""]
    assert report.failed
    assert "failing failed:\nTraceback" in capsys.readouterr().err


def test_the_status_of_a_run_with_a_failed_part_is_1(runs: Any, monkeypatch: pytest.MonkeyPatch):
    failed = a_report(running.Done("threads", "Several threads", 1.0, error="OSError: none left"))
    monkeypatch.setattr(command, "run", lambda found, quick: failed)
    assert command.main(["--quick"]) == 1


@pytest.mark.usefixtures("on_valkey")
def test_the_heading_names_versions_and_no_host():
    about = running.run([], quick=True).about
    assert {"Python", "Valkey", "Django", "redis-py", "hiredis", "django-redis"} <= set(
        about.versions
    )
    assert "cores" in about.machine
    assert os.uname().nodename not in about.machine


@pytest.mark.usefixtures("on_valkey")
def test_progress_ends_where_the_parts_said_it_would(capsys: pytest.CaptureFixture[str]):
    def measure(run: Run) -> Result:
        run.progress.say("half of it")
        run.progress.step()
        return Result([a_table()])

    running.run([a_part("first", measure), a_part("second", measure)], quick=True)
    said = capsys.readouterr().err
    assert "second: half of it" in said
    assert "4/4" in said


def test_operations_from_beginning_to_end(tmp_path: Path):
    """With samples so short that the figures mean nothing; in a process of its own."""
    figures = tmp_path / "figures.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "operations",
         "--json", str(figures)],
        cwd=ROOT, env={**os.environ, measuring.VARIABLE: "0.0005"},
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    tables = json.loads(figures.read_text())["parts"][0]["result"]["tables"]
    assert {"Hits in memory", "Round trips to Redis for one call"} <= {
        table["title"] for table in tables
    }
    for table in tables:
        for row in table["rows"]:
            assert row["figures"]["tiercache"] is not None, row["what"]
    assert "| `get`, text of 100 characters |" in ran.stdout
    assert "nothing was written into docs" in ran.stderr
    assert not [word for word in ("lost", "Warning", "Traceback") if word in ran.stderr]


def test_parts_measure_what_they_say_with_the_rivals_that_are_there(tmp_path: Path):
    """A moment of each that needs neither settings nor a gigabyte of its own."""
    figures = tmp_path / "figures.json"
    names = ["operations", "threads", "asyncio", "profile"]
    given = ["--quick", "--only", ",".join(names), "--json", str(figures)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks", *given],
        cwd=ROOT,
        env=os.environ | {"TIERCACHE_BENCHMARK_SECONDS": "0.001"},
        check=True,
        capture_output=True,
        timeout=50,
    )
    report = Report.from_json(figures.read_text())
    assert [(part.name, part.error) for part in report.parts] == [(name, "") for name in names]
    assert all(table.rows for part in report.parts if part.result for table in part.result.tables)
