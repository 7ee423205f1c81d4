"""A pool of upstream servers: asks one after the other until one answers, within one budget."""

import contextlib
import logging
import time
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import httpx

from gateway_project.upstreams.connections import Connections, trusted
from gateway_project.upstreams.errors import Attempt, PoolDown, PoolError
from gateway_project.upstreams.exchange import Limits, NoAnswer, Server, exchange
from gateway_project.upstreams.health import Health, ServerState, Turn
from gateway_project.upstreams.loops import PerLoop
from gateway_project.upstreams.messages import Incoming, Outgoing
from gateway_project.upstreams.options import PoolOptions
from gateway_project.upstreams.probes import Probes
from gateway_project.upstreams.shelter import sheltered

logger: Final = logging.getLogger(__name__)

UNWELL: Final = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)
"""Statuses that tell of a server. A 500 tells of a request: one address that always fails must not
make all servers sick, and with them all other addresses."""

LEAST: Final = 0.01
"""Seconds of a budget that are worth asking one more server."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """What is known of a pool at one moment: its name, and each server in the listed order."""

    name: str
    servers: tuple[ServerState, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, and what it may cost one server."""

    connections: Connections
    outgoing: Outgoing
    limits: Limits
    retry: bool = True
    fair: bool = True


@dataclass(frozen=True, slots=True)
class _Station:
    """What a pool has in one event loop."""

    connections: Connections
    probes: Probes | None

    async def aclose(self) -> None:
        if self.probes is not None:
            await self.probes.aclose()
        await self.connections.aclose()


class Pool:
    """The servers that answer alike for some routes.

    One object serves all threads and event loops of a process: they share what is known of the
    servers, and each loop has connections of its own, closed when the loop ends.
    """

    def __init__(self, name: str, options: PoolOptions) -> None:
        """Make a pool; nothing is connected to yet.

        Raises:
            OSError: If the file of certificate authorities cannot be read.
        """
        self.name = name
        self.options = options
        self._servers = {one.name: one for one in map(Server, options.servers)}
        self._health = Health(tuple(self._servers), options)
        self._trust = trusted(options.servers, options.trust)
        self._loops = PerLoop(self._begin)

    async def send(self, outgoing: Outgoing, *, budget: float, retry: bool) -> Incoming:
        """Return the response of the first server that answers, its body still to be received.

        The servers are asked in turn, healthy ones first, each for at most its timeout, and all
        for at most `budget` seconds until the header of a response is there. A server that answers
        5xx is left for the next one, as one that does not answer; any other status is an answer.

        Without `retry`, for methods that are not idempotent (RFC 9110, 9.2.2), the request is sent
        once: the next server is asked only if nothing was sent, and a 5xx is an answer too.

        Raises:
            PoolDown: At once, if all servers are sick and none is to be tried yet.
            PoolError: If none of the servers answers.
        """
        connections = (await self._loops.get()).connections
        deadline = time.monotonic() + budget
        attempts: list[Attempt] = []
        while (left := deadline - time.monotonic()) >= LEAST:
            turn = self._take(attempts, retry=retry)
            if turn is None:
                break
            limits = Limits.within(min(left, self.options.timeout), self.options)
            # A later server that had less than its time is not to blame for being late.
            fair = not attempts or left >= self.options.timeout
            try:
                return await self._try(turn, _Call(connections, outgoing, limits, retry, fair))
            except NoAnswer as none:
                attempts.append(none.attempt)
                if none.sent and not retry:
                    break
        raise self._error(attempts)

    def snapshot(self) -> PoolState:
        """Return what is known of the servers, for a status page."""
        return PoolState(self.name, self._health.snapshot())

    async def aclose(self) -> None:
        """Close the running loop's connections and end its probes; the next use begins anew.

        A loop that `asyncio.run` ends does that by itself.
        """
        await self._loops.aclose()

    def _begin(self) -> _Station:
        connections = Connections(self.options, self._trust)
        if self.options.probe is None:
            return _Station(connections, None)
        outgoing = Outgoing("GET", self.options.probe)
        probes = Probes(
            self._health,
            partial(self._probe, connections, outgoing),
            every=self.options.probe_every,
        )
        probes.start()
        return _Station(connections, probes)

    def _take(self, attempts: list[Attempt], *, retry: bool) -> Turn | None:
        # Without probes only requests can find out that a server is well again. One of each
        # back-off is spent on that, if it may be sent to the next server afterwards.
        trial_first = retry and not attempts and self.options.probe is None
        tried = {attempt.server for attempt in attempts}
        return self._health.take(tried, trial_first=trial_first)

    async def _try(self, turn: Turn, call: _Call) -> Incoming:
        response = await self._ask(turn, call)
        status, name = response.status_code, turn.server
        if call.retry and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._ended(turn, status, None)
            await sheltered(response.aclose())
            raise NoAnswer(Attempt(name, f"answered {status}", status=status), sent=True)
        if status not in UNWELL:
            self._health.answered(turn)
        return Incoming(
            response, name, idle=call.limits.part, ended=partial(self._ended, turn, status)
        )

    async def _ask(self, turn: Turn, call: _Call) -> httpx.Response:
        """Return the server's response, whatever it is; note when there is none."""
        server = self._servers[turn.server]
        transport = call.connections.to(server)
        host = self.options.host
        try:
            return await exchange(
                transport, server, call.outgoing, call.limits, host=host, again=call.retry
            )
        except NoAnswer as none:
            if none.blamed and (call.fair or not none.attempt.timed_out):
                self._failed(turn, none.attempt.reason)
            else:
                self._health.abandoned(turn)
            raise
        except BaseException:  # Cancelled, most likely: nothing was learned of the server.
            self._health.abandoned(turn)
            raise

    async def _probe(self, connections: Connections, outgoing: Outgoing, turn: Turn) -> None:
        limits = Limits.within(self.options.timeout, self.options)
        call = _Call(connections, outgoing, limits)
        with contextlib.suppress(NoAnswer):
            response = await self._ask(turn, call)
            if response.is_success:
                self._succeeded(turn)
            else:
                self._failed(turn, f"answered {response.status_code} to a probe")
            await sheltered(response.aclose())

    def _ended(self, turn: Turn, status: int, reason: str | None) -> None:
        if reason is None and status not in UNWELL:
            self._succeeded(turn)
        else:
            self._failed(turn, reason or f"answered {status}")

    def _succeeded(self, turn: Turn) -> None:
        if self._health.succeeded(turn):
            logger.info("Pool %s: %s is well again", self.name, turn.server)

    def _failed(self, turn: Turn, reason: str) -> None:
        if self._health.failed(turn, reason):
            logger.warning("Pool %s: %s is sick: it %s", self.name, turn.server, reason)

    def _error(self, attempts: list[Attempt]) -> PoolError:
        servers = self._health.snapshot()
        waits = [server.next_try for server in servers if server.next_try is not None]
        if attempts or len(waits) < len(servers):
            return PoolError(self.name, attempts)
        causes = [Attempt(server.server, str(server.reason)) for server in servers]
        return PoolDown(self.name, causes, min(waits))
