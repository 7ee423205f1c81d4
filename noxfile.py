"""The checks, a session each; `nox -s suite` runs the tests on every pair whose Python is found."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

PAIRS = [("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1")]
"""Each supported Python with one supported Django; Django 6 needs Python 3.12."""


@nox.session
@nox.parametrize("python,django", PAIRS)
def suite(session: nox.Session, django: str) -> None:
    """Run all tests."""
    session.install("-e", ".[gateway,test]", f"django~={django}.0")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check formatting and style."""
    session.install("-e", ".[lint]")
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.install("-e", ".[gateway,test,lint]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports point one way."""
    session.install("-e", ".[gateway,test,lint]")
    session.run("lint-imports")
