"""A cluster's port: open while the cluster is powered on, refused while it is stopped, and never another's."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohttp import web


class Listening:
    """Accepts connections for `runner` on one port of 127.0.0.1; `port` 0 takes a free one. Starts closed."""

    def __init__(self, runner: web.AppRunner, tls: ssl.SSLContext, port: int = 0) -> None:
        self._runner, self._tls = runner, tls
        # Bound but not listening: the port stays ours, and connections to it are refused.
        self._reservation = _bound(port)
        self.port: int = self._reservation.getsockname()[1]
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[asyncio.Server] | None = None

    def open(self) -> None:
        """Listen; whoever connects from now on is served. Nothing happens when it is open already."""
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(128)
            self._serving = asyncio.get_running_loop().create_task(self._serve(self._listener))

    def refuse(self) -> None:
        """Take no more connections; those that are open stay."""
        if self._listener is None or self._serving is None:
            return
        if self._serving.done():
            self._serving.result().close()
        self._serving.cancel()
        self._listener.close()
        self._listener = self._serving = None

    def drop(self) -> None:
        """End the connections that are open, whatever is under way on them."""
        for handler in self._server.connections:
            if handler.transport is not None:
                handler.transport.abort()

    def release(self) -> None:
        """Give the port back."""
        self.refuse()
        self._reservation.close()

    @property
    def _server(self) -> web.Server:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        return server

    async def _serve(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._server, sock=listener, ssl=self._tls)


def _bound(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        raise
    return found
