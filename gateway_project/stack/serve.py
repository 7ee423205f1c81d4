"""Serve an ASGI application on a socket that the parent listens on: one worker process.

Run as ``python -m gateway_project.stack.serve APPLICATION DESCRIPTOR [options]``.
"""

import argparse
import asyncio
import gc
import signal
import socket
from collections.abc import Sequence

import uvicorn
from django.utils.module_loading import import_string

from gateway_project.stack import lifeline

GRACEFUL_SECONDS = 3


class Worker(uvicorn.Server):
    """A server that tells its parent when it accepts requests, and calls back on SIGHUP."""

    def __init__(self, config: uvicorn.Config, on_hangup: str | None) -> None:
        super().__init__(config)
        self._on_hangup = on_hangup

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        await super().startup(sockets=sockets)
        if self._on_hangup:
            loop = asyncio.get_running_loop()
            reload = import_string(self._on_hangup)
            # In a thread, since it reads files; requests go on meanwhile.
            loop.add_signal_handler(signal.SIGHUP, loop.run_in_executor, None, reload)
        # What was made until now stays: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
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
        date_header=not options.no_date,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with socket.socket(fileno=options.descriptor) as listener:
        Worker(config, options.on_hangup).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("application", help="for instance gateway_project.asgi:application")
    parser.add_argument("descriptor", type=int, help="the listening socket's descriptor")
    parser.add_argument("--factory", action="store_true", help="APPLICATION makes the application")
    parser.add_argument("--access-log", action="store_true", help="log each request")
    parser.add_argument(
        "--no-date", action="store_true", help="APPLICATION sends Date itself, as a cache has to"
    )
    parser.add_argument(
        "--on-hangup", metavar="FUNCTION", help="dotted name of what to call on SIGHUP"
    )
    return parser


if __name__ == "__main__":
    main()
