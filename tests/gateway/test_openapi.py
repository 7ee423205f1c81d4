"""``/api/v1/openapi.json``: right about the table, and kept to by what it describes."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import hypothesis
import pytest
import schemathesis
import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.urls import get_resolver

from gateway_project import settings as project
from gateway_project.fast import FastPath
from gateway_project.routing.reading import load
from gateway_project.views.openapi import described
from tests.gateway.support import HOST
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOCUMENT = "/api/v1/openapi.json"
POOL = '[pools.main]\nservers = ["http://127.0.0.1:9001"]\n'


def described_as(tmp_path: Path, text: str) -> dict[str, Any]:
    """Return the description of a table."""
    file = tmp_path / "routes.toml"
    file.write_text(POOL + text)
    return described(load(file).routes)


@pytest.fixture
def one(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Describe one route with these lines; gives its path's operations."""

    def describe(lines: str) -> dict[str, Any]:
        text = f"[[routes]]\nname = 'one'\npool = 'main'\n{lines}\n"
        paths = described_as(tmp_path, text)["paths"]
        return next(iter(paths.values()))

    return describe


async def test_it_has_each_route_of_the_table_and_each_address_of_the_gateways_own(
    gateway: httpx.AsyncClient,
):
    response = await gateway.get(DOCUMENT)

    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    paths = set(response.json()["paths"])
    assert {route.pattern.template for route in load(project.GATEWAY_ROUTES).routes} <= paths
    own = {f"/{pattern.pattern}" for pattern in get_resolver("gateway_project.urls").url_patterns}
    api = {path.replace("<symbol:", "{").replace(">", "}") for path in own if "/api/" in path}
    assert api | {"/healthz"} <= paths


def test_the_operations_are_the_methods_that_the_route_takes(one: Any):
    operations = one("path = '/a'\nmethods = ['GET', 'POST', 'PROPFIND']")

    assert set(operations) == {"get", "post"}
    assert "requestBody" in operations["post"]
    assert "413" in operations["post"]["responses"]
    assert "requestBody" not in operations["get"]


def test_a_condition_of_a_capture_is_its_pattern(one: Any):
    (parameter,) = one("path = '/a/{x|upper:[a-z]{2}}/b'")["get"]["parameters"]

    assert (parameter["name"], parameter["in"], parameter["required"]) == ("x", "path", True)
    assert parameter["schema"] == {"type": "string", "minLength": 1, "pattern": "^(?:[a-z]{2})$"}


def test_captures_that_share_a_segment_have_no_pattern_of_their_own(one: Any):
    parameters = one("path = '/a/{x:[a-z]+}.{y:[0-9]+}'")["get"]["parameters"]

    assert [parameter["name"] for parameter in parameters] == ["x", "y"]
    assert not any("pattern" in parameter["schema"] for parameter in parameters)


def test_what_takes_the_rest_of_the_path_says_so(one: Any):
    (parameter,) = one("path = '/a/{rest*}'")["get"]["parameters"]

    assert "slashes" in parameter["description"]


def test_the_query_parameters_are_those_that_count(one: Any):
    parameters = one("path = '/a'\nquery = ['from']\nlongest_query_value = 7")["get"]["parameters"]

    schema = {"type": "string", "maxLength": 7}
    assert parameters == [{"name": "from", "in": "query", "required": False, "schema": schema}]


def test_a_route_for_keys_says_so(one: Any):
    operation = one("path = '/a'\nrequires_key = true")["get"]

    assert operation["security"] == [{"bearer": []}, {"header": []}]
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    assert "security" not in one("path = '/a'")["get"]


def test_a_route_with_a_rate_says_so(one: Any):
    assert set(one("path = '/a'\nrate = '1/s'")["get"]["responses"]["429"]["headers"]) == {
        "RateLimit",
        "Retry-After",
    }
    assert "429" not in one("path = '/a'")["get"]["responses"]


def test_of_two_routes_with_one_path_the_first_is_described(tmp_path: Path):
    text = "".join(
        f"[[routes]]\nname = '{name}'\npool = 'main'\npath = '/a/{{x:{regex}}}'\n"
        for name, regex in (("first", "[a-z]"), ("second", "[0-9]"))
    )
    operations = described_as(tmp_path, text)["paths"]["/a/{x}"]

    assert operations["get"]["operationId"] == "first"


def test_operations_have_names_of_their_own():
    paths = described(load(project.GATEWAY_ROUTES).routes)["paths"].values()
    names = [
        operation["operationId"]
        for item in paths
        for operation in item.values()
        if isinstance(operation, dict)
    ]

    assert len(set(names)) == len(names) > 15


description = schemathesis.openapi.from_dict(described(load(project.GATEWAY_ROUTES).routes))


class Served(NamedTuple):
    """The gateway on a port of its own, and a key that may purge."""

    url: str
    key: str


@pytest.fixture
def served(transactional_db: None, site: Any, make_key: Callable[..., Any]) -> Iterator[Served]:
    """The gateway as a server has it: with one event loop for all requests."""
    application = FastPath(ASGIHandler())
    config = uvicorn.Config(
        application, interface="asgi3", lifespan="off", ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        eventually(lambda: server.started, why="the gateway starts")
        yield Served(f"http://{HOST}:{listener.getsockname()[1]}", make_key(may_purge=True)[1])
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@description.auth(refresh_interval=None).apply_to(path="/api/v1/purge")
class Key:
    """Offers the key that the test at hand has."""

    now = ""

    def get(self, case: Any, context: Any) -> str:
        return Key.now

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["X-API-Key"] = data


# What looks like a symbol or a day may be none, which the upstream alone knows.
UNKNOWN = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")


@description.parametrize()
@hypothesis.settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_the_gateway_keeps_to_its_description(served: Served, case: schemathesis.Case):
    Key.now = served.key

    case.call_and_validate(
        base_url=served.url, headers={"Host": "testserver"}, excluded_checks=[UNKNOWN]
    )
