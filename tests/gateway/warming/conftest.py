"""The command in this process, over a routes file of its own and an origin that a test scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from gateway_project.routing import current as routes
from gateway_project.serving import current
from tests.gateway.origin import Origin

ROUTES = """
[pools.origin]
servers = ["{url}"]
failures = 1
back_off = {back_off}
{pool}

[[routes]]
name = "things"
path = "/things/{{name}}"
pool = "origin"
query = ["page"]
lifetime = 60
budget = 3.0
{options}

[[routes]]
name = "own"
path = "/own"
pool = "origin"
requires_key = true
tenant = "key"

[[routes]]
name = "guarded"
path = "/guarded"
pool = "origin"
lifetime = 60
requires_key = true
rate = "1/60s"

[[routes]]
name = "posts"
path = "/posts"
pool = "origin"
methods = ["POST"]
"""


@pytest.fixture(scope="session")
def _shared_origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


@pytest.fixture
def origin(_shared_origin: Origin) -> Iterator[Origin]:
    yield _shared_origin
    _shared_origin.forget()


class Warm:
    """Runs the command; `cache` is the one that it fills."""

    def __init__(self, folder: Path, cache: Any) -> None:
        self.folder = folder
        self.cache = cache
        self.errors = ""

    def list(self, *lines: str) -> str:
        """Write a list, and return its name."""
        file = self.folder / "list"
        file.write_text("".join(f"{line}\n" for line in lines))
        return str(file)

    @property
    def state(self) -> Path:
        return self.folder / "list.warm-state"

    def run(self, *arguments: str, **options: Any) -> str:
        out, errors = StringIO(), StringIO()
        try:
            call_command("gateway_warm", *arguments, stdout=out, stderr=errors, **options)
        finally:
            self.errors, self.output = errors.getvalue(), out.getvalue()
        return self.output

    def told(self, *arguments: str) -> dict[str, Any]:
        """Run it with --json, and return what it printed; its exit status does not matter."""
        try:
            self.run(*arguments, "--json")
        except CommandError as exc:
            self.failed = exc
        told: dict[str, Any] = json.loads(self.output)
        return told


@pytest.fixture
def make_warm(
    make_cache: Callable[..., Any], origin: Origin, tmp_path: Path
) -> Iterator[Callable[..., Warm]]:
    """Make the command's surroundings; `options` are lines of the route for /things."""
    overrides: list[override_settings] = []

    def make(
        options: str = "",
        *,
        tiers: str = "tiered",
        url: str = "",
        back_off: float = 0.05,
        pool: str = "",
        **more: Any,
    ) -> Warm:
        file = tmp_path / "routes.toml"
        text = ROUTES.format(url=url or origin.url, options=options, back_off=back_off, pool=pool)
        file.write_text(text)
        cache = make_cache(tiers, **more)
        overrides.append(override_settings(GATEWAY_ROUTES=file))
        overrides[-1].enable()
        routes.forget()
        current.reset()
        return Warm(tmp_path, cache)

    yield make
    for override in reversed(overrides):
        override.disable()
    routes.forget()
    current.reset()


@pytest.fixture
def warm(make_warm: Callable[..., Warm]) -> Warm:
    return make_warm()
