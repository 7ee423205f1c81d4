"""Start a server with one worker process on a free port: uvicorn, gunicorn, nginx."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil

from gateway_project.stack.child import PROJECT, Child
from tests.support.servers import free_port

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 6.0

_NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path client;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 100000000;
    proxy_cache_path pages keys_zone=pages:1m;
    server {{
        listen {host}:{port};
        location / {{
            proxy_pass {origin};
            proxy_cache pages;
            proxy_cache_valid 200 1d;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""


class Server(NamedTuple):
    """A server that runs: its address, and its worker, whose processor time is counted."""

    address: str
    worker: psutil.Process

    def processor(self) -> float:
        """Return the seconds of processor time that its worker took so far."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)


def uvicorn(
    stack: ExitStack, application: str, environment: Mapping[str, str], *options: str
) -> Server:
    """Serve an application as `manage.py gateway` does.

    Raises:
        RuntimeError: it ends, or is not ready in `START_SECONDS`.
    """
    with socket.create_server((HOST, 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        arguments = ["gateway_project.stack.serve", application, str(listener.fileno()), *options]
        child = Child(
            application, arguments, environment=environment, descriptors=[listener.fileno()]
        )
    stack.callback(_end, child)
    deadline = time.monotonic() + START_SECONDS
    while not child.ready:
        select.select([child.line], [], [], 0.1)
        child.listen()
        if not child.running():
            raise RuntimeError(f"{application} {child.ending()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{application} was not ready in {START_SECONDS:.0f} s")
    return Server(f"http://{HOST}:{port}", psutil.Process(child.pid))


def _end(child: Child) -> None:
    child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while child.running() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.close()


def gunicorn(stack: ExitStack, application: str, environment: Mapping[str, str]) -> Server:
    """Serve a WSGI application by gunicorn's sync worker, which keeps no connection.

    Raises:
        RuntimeError: it does not start.
    """
    port = free_port()
    options = ["--workers=1", "--worker-class=sync", "--log-level=error", f"--bind={HOST}:{port}"]
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, application]
    return Server(f"http://{HOST}:{port}", _worker(stack, command, port, environment))


def nginx(stack: ExitStack, directory: Path, origin: str) -> Server:
    """Let nginx cache what another server answers.

    Raises:
        RuntimeError: it does not start.
    """
    port = free_port()
    directory.mkdir()
    # As root it would drop to a user who may not enter the directory.
    user = f"user {me};" if (me := psutil.Process().username()) == "root" else ""
    text = _NGINX.format(host=HOST, port=port, origin=origin, user=user)
    (directory / "nginx.conf").write_text(text)
    command = ["nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"]
    return Server(f"http://{HOST}:{port}", _worker(stack, command, port, {}, "worker process"))


def _worker(
    stack: ExitStack,
    command: list[str],
    port: int,
    environment: Mapping[str, str],
    called: str = "",
) -> psutil.Process:
    """Start a server that has workers; return the first one that is so called, once it listens."""
    told = {**os.environ, **environment}
    master = psutil.Popen(command, cwd=PROJECT, env=told, start_new_session=True)
    stack.callback(_stop, master)
    deadline = time.monotonic() + START_SECONDS
    while True:
        if master.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{command[0]} did not start; it has said why above")
        workers = [one for one in master.children() if called in " ".join(one.cmdline())]
        if workers and _listens(port):
            return workers[0]
        time.sleep(0.02)


def _stop(master: psutil.Popen) -> None:
    master.terminate()
    try:
        master.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        master.kill()
        master.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
