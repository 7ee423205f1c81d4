"""An upstream server that says exactly the bytes that a test gives it, and counts connections."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Final

from tests.gateway.support import HOST

_BETWEEN: Final = b"\r\n\r\n"

Says = Callable[[bytes], bytes]
"""Returns what is said to the head of a request; requests have no bodies here."""


class RawOrigin:
    """One upstream server in a thread; `connections` is how many were opened to it."""

    def __init__(self, says: Says) -> None:
        self.connections = 0
        origin = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                origin.connections += 1
                read = b""
                while more := self.request.recv(65_536):
                    read += more
                    while _BETWEEN in read:
                        head, _, read = read.partition(_BETWEEN)
                        self.request.sendall(says(head))

        self._server = _Server((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a gateway that resets a connection is what some tests want."""
