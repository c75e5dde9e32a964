"""A site on this machine, for what the scripts of a deployment call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[HTTPServer]:
    """The handler behind a port of its own, until the end of the block."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
