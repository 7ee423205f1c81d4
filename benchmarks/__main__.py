"""Measure tiercache next to its rivals, and make the page that shows it.

    python -m benchmarks [--quick] [--only NAMES] [--json FILE]
    python -m benchmarks --page FILE

Measures every part in turn, with a server of its own, shows the result in Markdown, and writes
docs/performance.json, docs/performance.md and its pictures, and the figures in README.md and
docs/comparison.md. With `--only` or `--quick` none of that is written. `--page` makes the page anew
from figures that were measured before.

The status is 1 if a part failed; the page says why.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

from . import page
from .parts import MODULES, find
from .report import Report
from .running import run

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
COMPARISON: Final = "comparison.md"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the status."""
    given = _parser().parse_args(arguments)
    if given.page is not None:
        _make_page(Report.from_json(given.page.read_text()))
        return 0
    # So that a plain `kill` ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = run([find(name) for name in given.only or MODULES], quick=given.quick)
    print(page.text(report))
    _keep(report, given)
    return 1 if report.failed else 0


def _keep(report: Report, given: argparse.Namespace) -> None:
    """Write down what was measured."""
    if given.json is not None:
        given.json.write_text(report.to_json())
        _say(f"wrote {given.json}")
    if given.quick or given.only:
        _say(f"nothing was written into {DOCS.name}: that takes a whole run, without --quick "
             f"and --only")  # fmt: skip
        return
    (DOCS / page.FIGURES).write_text(report.to_json())
    _say(f"wrote {DOCS.name}/{page.FIGURES}")
    _make_page(report)


def _make_page(report: Report) -> None:
    page.write(report, DOCS)
    page.refresh(report, README, page.README)
    page.refresh(report, DOCS / COMPARISON, page.COMPARISON)
    _say(f"made {DOCS.name}/{page.PAGE}, its pictures, and the figures in {README.name} and "
         f"{DOCS.name}/{COMPARISON}")  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"parts: {', '.join(MODULES)}",
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the time, noisier")
    parser.add_argument("--only", type=_names, help="measure these parts, separated by commas")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--page", type=_file, help="make the page from this file; measure nothing")
    return parser


def _names(text: str) -> list[str]:
    """Return names of parts, in their order on the page."""
    given = [name.strip() for name in text.split(",")]
    if unknown := [name for name in given if name not in MODULES]:
        raise argparse.ArgumentTypeError(
            f"there is no part {', '.join(map(repr, unknown))}; allowed: {', '.join(MODULES)}"
        )
    return [name for name in MODULES if name in given]


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def _say(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
