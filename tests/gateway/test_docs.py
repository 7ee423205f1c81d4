"""docs/gateway.md names what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import BaseCommand, load_command_class

from gateway_project import settings as project
from gateway_project.routes import ROUTES

ROOT = Path(project.__file__).resolve().parents[1]
DOCS = (ROOT / "docs" / "gateway.md").read_text()
CODE = [ROOT / "gateway_project" / "settings.py", ROOT / "gateway_project/upstream/faults.py"]


VARIABLES = sorted(
    {
        name
        for file in CODE
        for name in re.findall(r'\w\([^()]*"([A-Z]+_[A-Z_]+)"', file.read_text())
    }
)


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_is_documented(name: str):
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_each_route_is_documented(route):
    path = re.sub(r"<\w+:(\w+)>", r"{\1}", route.path)
    row = re.search(rf"^\| `/api/v1/{re.escape(path)}` .*$", DOCS, re.MULTILINE)

    assert row, path
    assert all(f"`{name}`" in row[0] for name in route.parameters)
    assert ("`cache_page`" in row[0]) is route.whole_page


def test_each_option_of_the_command_is_documented():
    command = load_command_class("gateway_project", "gateway")
    plain, full = BaseCommand().create_parser("", ""), command.create_parser("", "")
    inherited = {option for action in plain._actions for option in action.option_strings}
    own = {option for action in full._actions for option in action.option_strings} - inherited

    assert len(own) == 6
    assert all(f"`{option}`" in DOCS for option in own)
