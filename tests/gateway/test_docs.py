"""docs/gateway.md names what the code has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import BaseCommand, load_command_class

from gateway_project import settings as project
from gateway_project.routing import options
from gateway_project.routing.reading import load
from gateway_project.upstreams import PoolOptions
from gateway_project.views.described import OWN
from tiercache import urls
from tiercache.http.rules import Rules

if TYPE_CHECKING:
    from gateway_project.routing.table import Route

ROOT = Path(project.__file__).resolve().parents[1]
DOCS = (ROOT / "docs" / "gateway.md").read_text()
CODE = [ROOT / "gateway_project" / "settings.py", ROOT / "gateway_project/upstream/faults.py"]
PACKAGE = ROOT / "gateway_project"


VARIABLES = sorted(
    {
        name
        for file in CODE
        for name in re.findall(r'\w\([^()]*"([A-Z]+_[A-Z_]+)"', file.read_text())
    }
)


def rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table with this first heading, by the names in their first cells."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\| -.*\n((?:\|.*\n)+)", DOCS, re.MULTILINE)
    assert table, heading
    found: dict[str, list[str]] = {}
    for line in table[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`([^`]+)`", cells[0]):
            found[name] = cells[1:]
    return found


def test_the_environments_variables_are_the_documented_ones():
    assert set(rows("variable")) == set(VARIABLES)


@pytest.mark.parametrize("route", load(project.GATEWAY_ROUTES).routes, ids=lambda one: one.name)
def test_each_route_of_the_projects_file_is_documented(route: Route):
    lifetime, refreshed, query = rows("path")[route.pattern.template]

    assert int(lifetime) == route.rules.lifetime
    assert int(refreshed) == route.rules.stale_while_revalidate
    assert tuple(re.findall(r"`(\w+)`", query)) == route.query.names


def test_each_address_of_the_gateways_own_is_documented():
    for_machines = {f"/tiercache/{address.pattern}" for address in urls.urlpatterns}
    assert set(rows("own address")) == {*OWN, *for_machines, "/", "/admin/"}


def test_each_option_of_a_route_is_documented():
    assert set(rows("option of a route")) == set(options.ROUTE)


def test_each_option_of_a_pool_is_documented():
    assert set(rows("option of a pool")) == set(options.POOL)


@pytest.mark.parametrize("field", dataclasses.fields(PoolOptions), ids=lambda one: one.name)
def test_the_defaults_of_a_pools_options_are_the_documented_ones(field: Any):
    if field.default is dataclasses.MISSING:
        return
    cell = rows("option of a pool")[field.name][0]

    assert cell.strip('`"') == shown(field.default)


@pytest.mark.parametrize("name", ["lifetime", "stale_if_error", "keep", "obey_callers"])
def test_the_defaults_of_the_rules_are_the_documented_ones(name: str):
    default = getattr(Rules(), name)
    cell = rows("option of a route")[name][0]

    assert default is None or cell == shown(default)


def shown(value: Any) -> str:
    """Return a default as the tables have it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def test_each_option_of_the_command_is_documented():
    command = load_command_class("gateway_project", "gateway")
    plain, full = BaseCommand().create_parser("", ""), command.create_parser("", "")
    inherited = {option for action in plain._actions for option in action.option_strings}
    own = {option for action in full._actions for option in action.option_strings} - inherited

    assert len(own) == 6
    assert own | {"--verbosity 2"} == set(rows("option"))


def test_the_modules_that_are_named_are_there():
    for name in rows("module"):
        path = PACKAGE.parent / name if name.startswith("tiercache") else PACKAGE / name
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
