"""The gateway as tests of its pages use it: three workers over a Valkey that tests look into."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.gateway import PROJECT, Gateway
from tests.support.servers import Valkey

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 3


def patient_routes(directory: Path) -> Path:
    """Write the project's routes, but that its upstream may be late: that is no fault of a page."""
    text = (PROJECT / "gateway_project" / "routes.toml").read_text()
    for name, seconds in (("timeout", 2.0), ("budget", 5.0)):
        text, found = re.subn(rf"^{name} = {seconds}", f"{name} = 20.0", text, flags=re.MULTILINE)
        assert found == 1, name
    file = directory / "routes.toml"
    file.write_text(text)
    return file


class Site:
    """A running gateway with the users of `tests.browser.users` and with the command's own."""

    def __init__(self, directory: Path) -> None:
        self.valkey = Valkey()
        self.gateway = Gateway(
            directory,
            "--port",
            "0",
            "--workers",
            str(WORKERS),
            TIERCACHE_REDIS_URL=f"{self.valkey.url}/0",
            DJANGO_SETTINGS_MODULE="tests.browser.settings",
            GATEWAY_ROUTES=str(patient_routes(directory)),
        )
        try:
            self.gateway.wait_until_up()
            self._run("-m", "tests.browser.users")
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return self.gateway.url

    @property
    def redis(self) -> Any:
        """The test's own look into what the cache `default` has in Redis."""
        return self.valkey.client

    @property
    def secret_key(self) -> str:
        return (self.gateway.state / "secret-key").read_text()

    @property
    def pids(self) -> set[str]:
        """The process ids of the workers, as pages show them."""
        return {str(worker.pid) for worker in self.gateway.workers()}

    def ask(self, path: str, times: int = 1) -> None:
        """Have the site answer a path, each time over a connection of its own."""
        for _ in range(times):
            httpx.get(self.url + path, trust_env=False, timeout=10).raise_for_status()

    @functools.cache  # noqa: B019 - a site lives as long as the session
    def signed_in(self, name: str) -> list[dict[str, Any]]:
        """Return the cookies of somebody who has signed in."""
        password = self.gateway.password if name == "staff" else name
        with httpx.Client(trust_env=False, base_url=self.url, timeout=10) as client:
            client.get("/admin/login/")
            form = {
                "csrfmiddlewaretoken": client.cookies["csrftoken"],
                "username": name,
                "password": password,
            }
            assert client.post("/admin/login/?next=/admin/", data=form).status_code == 302
            return [
                {"name": key, "value": text, "url": self.url}
                for key, text in client.cookies.items()
            ]

    def read(self, path: str, name: str = "chief") -> str:
        """Return a page as somebody of the staff gets it, without a browser."""
        cookies = {one["name"]: one["value"] for one in self.signed_in(name)}
        with httpx.Client(
            trust_env=False, base_url=self.url, cookies=cookies, timeout=10
        ) as client:
            return client.get(path).raise_for_status().text

    def manage(self, *arguments: str) -> None:
        """Run a command of Django's in the site's environment."""
        self._run("manage.py", *arguments)

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.gateway.environment,
            check=True,
            capture_output=True,
            timeout=30,
        )

    def close(self) -> None:
        self.gateway.clean_up()
        self.valkey.close()
