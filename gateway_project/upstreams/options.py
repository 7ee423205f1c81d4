"""What is said of a pool, checked once and loudly."""

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, Literal, get_args

from gateway_project import environment
from gateway_project.upstreams.messages import is_target

Policy = Literal["first", "spread"]
"""Which of the healthy servers is asked: the first listed one, or each in turn."""

_HOST: Final = re.compile(r"[\w.\-\[\]:]+", re.ASCII)
_SECONDS: Final = (
    "timeout",
    "connect_timeout",
    "probe_every",
    "back_off",
    "back_off_most",
    "keep_alive",
)
_NUMBERS: Final = ("failures", "most_connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How the servers of a pool are asked.

    Attributes:
        servers: base addresses, such as http://127.0.0.1:9001; at least one, none twice.
        timeout: seconds that one server has for its response's header, and then for each further
            part of the body.
        connect_timeout: seconds for connecting, and again for TLS.
        probe: path that tells with a 2xx that a server is well, asked in the background of sick
            servers; None: a caller's request is the trial.
        probe_every: seconds between two probes of a server, give or take a quarter.
        probe_all: whether servers that are not sick are probed too.
        failures: consecutive failures that make a server sick.
        back_off: seconds for which a server that became sick is left alone. Each trial that fails
            doubles them.
        back_off_most: seconds that a back-off takes at most.
        policy: which of the healthy servers is asked.
        http1, http2: the versions to speak. With both, TLS decides (ALPN), and without TLS it is
            HTTP/1.1; with http2 alone, it is HTTP/2 also without TLS ("prior knowledge").
        host: the Host field for each server; None: the server's own authority. TLS always goes by
            the server's own name.
        most_connections: connections to one server, of one event loop.
        keep_alive: seconds that an idle connection is kept; best shorter than the servers do it
            (five seconds are usual), for a request may cross with their closing it.
        trust: file of the certificate authorities to trust; None: those of the certifi package.

    Raises:
        ValueError: If a value cannot be; names the option and what is allowed.
    """

    servers: tuple[str, ...]
    timeout: float = 2.0
    connect_timeout: float = 0.5
    probe: str | None = None
    probe_every: float = 5.0
    probe_all: bool = False
    failures: int = 3
    back_off: float = 1.0
    back_off_most: float = 30.0
    policy: Policy = "first"
    http1: bool = True
    http2: bool = True
    host: str | None = None
    most_connections: int = 100
    keep_alive: float = 4.0
    trust: Path | None = None

    def __post_init__(self) -> None:
        self._check_servers()
        self._check_numbers()
        if self.policy not in get_args(Policy):
            allowed = " or ".join(map(repr, get_args(Policy)))
            raise ValueError(f"policy must be {allowed}, not {self.policy!r}.")
        if self.probe is not None and not is_target(self.probe):
            raise ValueError(
                "probe must be a path that begins with '/', of visible ASCII characters, "
                f"not {self.probe!r}."
            )
        if self.host is not None and not _HOST.fullmatch(self.host):
            raise ValueError(f"host must be a name, perhaps with a port, not {self.host!r}.")
        if not (self.http1 or self.http2):
            raise ValueError("http1 and http2 must not both be False.")

    def _check_servers(self) -> None:
        if not self.servers:
            raise ValueError("servers must list one base address at least.")
        for server in self.servers:
            if not environment.is_base(server):
                raise ValueError(
                    "servers must list base addresses such as http://127.0.0.1:9001, "
                    f"not {environment.without_password(server)!r}."
                )
        names = {server.partition("://")[2].rstrip("/") for server in self.servers}
        if len(names) < len(self.servers):
            raise ValueError(f"servers must list no address twice: {', '.join(self.servers)}.")

    def _check_numbers(self) -> None:
        for name in _SECONDS:
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}.")
        for name in _NUMBERS:
            value = getattr(self, name)
            if not (isinstance(value, int) and value > 0):
                raise ValueError(f"{name} must be a whole number above 0, not {value!r}.")
        if self.back_off_most < self.back_off:
            raise ValueError(
                f"back_off_most ({self.back_off_most!r}) must not be less than "
                f"back_off ({self.back_off!r})."
            )
