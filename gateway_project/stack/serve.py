"""Serve an ASGI application on a socket that the parent listens on: one worker process.

Run as ``python -m gateway_project.stack.serve APPLICATION DESCRIPTOR [options]``.
"""

import argparse
import socket
from collections.abc import Sequence

import uvicorn

from gateway_project.stack import lifeline

GRACEFUL_SECONDS = 3


class Worker(uvicorn.Server):
    """A server that tells its parent when it accepts requests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        await super().startup(sockets=sockets)
        lifeline.tell_ready()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal or the parent's end."""
    options = _parser().parse_args(arguments)
    lifeline.hold()
    config = uvicorn.Config(
        options.application,
        factory=options.factory,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_level="info" if options.access_log else "warning",
        access_log=options.access_log,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with socket.socket(fileno=options.descriptor) as listener:
        Worker(config).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("application", help="for instance gateway_project.asgi:application")
    parser.add_argument("descriptor", type=int, help="the listening socket's descriptor")
    parser.add_argument("--factory", action="store_true", help="APPLICATION makes the application")
    parser.add_argument("--access-log", action="store_true", help="log each request")
    return parser


if __name__ == "__main__":
    main()
