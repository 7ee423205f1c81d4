"""The child's end of the line to the process that started it.

Standard input is one end of a socket pair. The child says on it that it is ready; when the
other end closes, for whatever reason, a kill included, the child ends.
"""

import os
import signal
import socket
import threading
import time
from contextlib import suppress

READY = b"ready"
GRACE = 8.0


def hold() -> None:
    """End this process soon after its parent ended: politely first, then for certain."""
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def tell_ready(detail: str = "") -> None:
    """Tell the parent that this process does its work now."""
    with socket.socket(fileno=os.dup(0)) as line:
        line.sendall(READY + b" " + detail.encode())


def _watch() -> None:
    # A parent that was killed before it read what was told leaves a reset instead of an end.
    with suppress(ConnectionResetError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)
