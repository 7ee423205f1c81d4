"""What happens to the server, or on the way to it, while workers work; and when."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.coherence_history import disagreements
from benchmarks.coherence_judge import judge
from benchmarks.coherence_team import Team, churning
from benchmarks.coherence_terms import COUNTERS, KEYS, PREFIXES, Pulse, Seen, now
from benchmarks.coherence_verdict import Verdict, Window
from tests.support.faults import Site

BETWEEN_LOSSES = 0.5
"""Seconds between two losses of all subscriptions, or of all connections."""

MOST_DELAY = 0.03
"""Seconds for which a reply or a message is held back at the most."""

BETWEEN_DELAYS = 0.25
"""Seconds after which replies and messages are held back for another time."""


@dataclass(slots=True)
class Trial:
    """One run under one kind of fault, or several in turn.

    Attributes:
        seen: what each process saw.
        losses: when connections were broken: from, to.
        windows: when the server was taken away.
        silences: when connections that had been open were silent: from, to.
        stalls: when the process of the proxy was not run; none where there is no proxy.
        delay_ms: for how long messages are held back on their way, at the most.
        wrong: what nodes say at the end where Redis says otherwise.
    """

    seen: list[Seen] = field(default_factory=list)
    losses: list[tuple[int, int]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    silences: list[tuple[int, int]] = field(default_factory=list)
    stalls: list[tuple[int, int]] = field(default_factory=list)
    delay_ms: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def verdict(self, bound_ms: float) -> Verdict:
        """Judge all reads."""
        return judge(
            self.seen,
            bound_ms + self.delay_ms,
            windows=self.windows,
            losses=self.losses,
            stalls=self.stalls,
            silences=self.silences,
        )


class Scene(Site):
    """A server with a proxy before it, and the trial that is held there."""

    def __init__(self, name: str = "") -> None:
        """Start both."""
        super().__init__()
        self.name = name
        self.trial = Trial()

    def hold(self, seconds: float, processes: int, seed: int, act: Act, **options: Any) -> Trial:
        """Let workers work for so long while `act` goes on, and return what was seen.

        Options are those of `Config`, and `proxied`: whether workers connect by the proxy.
        """
        proxied = options.pop("proxied", True)
        url = self.url if proxied else self.server.url
        roles = churning(processes)
        stalls = self.trial.stalls if proxied else []
        with Team(f"{url}/0", roles, seconds=seconds, seed=seed, **options) as team:
            pulse = Pulse(stalls)
            team.go()
            act(self, seconds)
            show(f"{self.name}: all settle", seconds, seconds)
            self.trial.seen = team.finish()
            pulse.end()
        keys = [*KEYS, *COUNTERS]
        self.trial.wrong = disagreements(self.trial.seen, keys, self._truth)
        return self.trial

    def wait(self, what: str, seconds: float) -> None:
        """Wait, and show how far it is."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            show(f"{self.name}: {what}", seconds - left, seconds)
            time.sleep(min(left, 1.0))

    @contextmanager
    def away(self, lift: Callable[[], object]) -> Iterator[None]:
        """Note a time in which the server is away; `lift` ends it."""
        gone = now()
        try:
            yield
        finally:
            lifted = now()
            lift()
            self.trial.windows.append(Window(gone, lifted, now()))

    def lose(self, break_off: Callable[[], object]) -> None:
        """Note that something is broken off."""
        begin = now()
        break_off()
        self.trial.losses.append((begin, now()))

    def lose_often(self, seconds: float, break_off: Callable[[], object]) -> None:
        """Break something off again and again."""
        begun = time.monotonic()
        for loss in range(1, int(seconds / BETWEEN_LOSSES)):
            self.wait("lost again", begun + loss * BETWEEN_LOSSES - time.monotonic())
            self.lose(break_off)

    def kill_subscribers(self) -> None:
        """Break every subscription."""
        self.server.client.client_kill_filter(_type="pubsub")

    def _truth(self, key: str) -> int | None:
        alias = "counters" if key in COUNTERS else "default"
        raw = self.server.client.get(f"{PREFIXES[alias]}:1:{key}")
        return None if raw is None else int(raw)


Act = Callable[[Scene, float], None]
"""Does something to a scene for so many seconds, and makes all well again."""


def none(scene: Scene, seconds: float) -> None:
    """Nothing."""
    scene.wait("", seconds)


def kill_subscribers(scene: Scene, seconds: float) -> None:
    """CLIENT KILL TYPE pubsub, again and again."""
    scene.lose_often(seconds, scene.kill_subscribers)


def cut(scene: Scene, seconds: float) -> None:
    """All connections are broken, again and again."""
    scene.lose_often(seconds, scene.proxy.cut)


def delay(scene: Scene, seconds: float) -> None:
    """Replies and messages are held back, now for longer, now for shorter."""
    choice, end = random.Random(0), time.monotonic() + seconds
    # A chunk waits for the one before it and then for its own time.
    scene.trial.delay_ms = 2 * MOST_DELAY * 1000
    while (left := end - time.monotonic()) > 0:
        scene.proxy.delay(choice.uniform(0, MOST_DELAY))
        scene.wait("held back", min(left, BETWEEN_DELAYS))
    scene.proxy.heal()


def freeze(scene: Scene, seconds: float) -> None:
    """SIGSTOP, later SIGCONT."""
    with scene.away(scene.server.thaw):
        scene.server.freeze()
        scene.wait("frozen", seconds)


def pause(scene: Scene, seconds: float) -> None:
    """CLIENT PAUSE: all commands are held back, and carried out later."""
    with scene.away(lambda: None):
        end = time.monotonic() + seconds
        scene.server.pause_clients(seconds)
        scene.wait("paused", end - time.monotonic())


def restart(scene: Scene, seconds: float) -> None:
    """SIGKILL, later an empty server."""
    with scene.away(scene.server.start):
        scene.server.kill()
        scene.wait("gone", seconds)


def blackhole(scene: Scene, seconds: float) -> None:
    """Nothing comes through the proxy, in both directions; what was held arrives at the end."""
    with scene.away(scene.proxy.heal):
        scene.proxy.blackhole()
        scene.wait("silent", seconds)


def half_open(scene: Scene, seconds: float) -> None:
    """Requests come through and are carried out, replies and messages do not."""
    with scene.away(scene.proxy.heal):
        scene.proxy.blackhole("replies")
        scene.wait("half-open", seconds)


def strand(scene: Scene, seconds: float) -> None:
    """The connections that are open fall silent for good, and new ones are well.

    So it is when a firewall forgets them. A node finds out by its calls, which time out; whether
    its subscription is silent as well, nothing tells but the heartbeat.
    """
    gone = now()
    scene.lose(scene.proxy.strand)
    scene.wait("stranded", seconds)
    scene.trial.silences.append((gone, now()))


def password(scene: Scene, seconds: float) -> None:
    """SIGKILL, and at once an empty server that wants a password; later none again."""
    with scene.away(lambda: scene.server.configure(requirepass="")):
        # Or workers would connect before the password is set, and stay.
        scene.proxy.refuse()
        scene.server.restart(requirepass="another")
        scene.proxy.heal()
        scene.wait("locked", seconds)


def full(scene: Scene, seconds: float) -> None:
    """Past maxmemory, noeviction: writes are refused, reads are served.

    Halfway subscriptions are broken: a new one drops all copies but those of own changes.
    """
    with scene.away(lambda: scene.server.configure(maxmemory=0)):
        scene.server.configure(maxmemory_policy="noeviction", maxmemory=1)
        scene.wait("full", seconds / 2)
        scene.kill_subscribers()
        scene.wait("full", seconds / 2)


THROUGHOUT: dict[str, Act] = {
    "none": none,
    "kill-subscribers": kill_subscribers,
    "cut": cut,
    "delay": delay,
}
"""What goes on for the whole of a run."""

OUTAGES: dict[str, Act] = {
    "freeze": freeze,
    "pause": pause,
    "restart": restart,
    "blackhole": blackhole,
    "half-open": half_open,
    "strand": strand,
    "password": password,
    "full": full,
}
"""What goes on for a quarter of a run, after a third of it."""

FAULTS = THROUGHOUT | OUTAGES

PROXIED = {"cut", "delay", "blackhole", "half-open", "strand", "password"}
"""What needs the proxy; otherwise it would only be one more who wants the processor."""


def in_turn(scene: Scene, seconds: float, acts: Sequence[Act], calm: float) -> None:
    """Do one thing after the other, each for an equal time, with calm before, between and after."""
    each = (seconds - calm * (len(acts) + 1)) / len(acts)
    for act in acts:
        scene.wait("well", calm)
        act(scene, each)
    scene.wait("well", calm)


def once(scene: Scene, seconds: float, act: Act) -> None:
    """Do it for a quarter of the time, after a third of it."""
    scene.wait("before", seconds / 3)
    act(scene, seconds / 4)
    scene.wait("after", seconds - seconds / 3 - seconds / 4)


def try_out(kind: str, seconds: float, processes: int, seed: int, **options: object) -> Trial:
    """Run processes under a fault, on a server of their own."""
    scene = Scene(kind)
    outage = OUTAGES.get(kind)
    act = FAULTS[kind] if outage is None else lambda scene, seconds: once(scene, seconds, outage)
    try:
        return scene.hold(seconds, processes, seed, act, proxied=kind in PROXIED, **options)
    finally:
        scene.close()


def show(what: str, done: float, of: float) -> None:
    """Show on standard error how far it is."""
    print(f"\r{what:<32} {done:5.1f} of {of:.1f} s ", end="", file=sys.stderr, flush=True)
