"""A server between a client and the storage emulator that loses, breaks or replaces answers when told to."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit

Trouble = Literal["lose-request", "lose-answer", "garbage", "truncate"]


@dataclass
class Forwarder:
    """Forwards, except where told to fail. ``requests`` counts what came in, ``paths`` has their paths."""

    url: str
    requests: int = 0
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    _trouble: Trouble | int | None = None
    _times: int = 0

    def fail(self, trouble: Trouble | int, times: int = 1_000_000, retry_after: str = "") -> None:
        """The next requests meet this trouble, or get an answer of this status."""
        self._trouble, self._times = trouble, times
        self.headers = {"Retry-After": retry_after} if retry_after else {}

    def next_trouble(self) -> Trouble | int | None:
        """What the request that just came in meets."""
        self.requests += 1
        self._times -= 1
        return self._trouble if self._times >= 0 else None


@contextmanager
def forwarding(target: str) -> Iterator[Forwarder]:
    """Forward everything to the target (http://host:port), on a port of its own."""
    state = Forwarder("")
    host = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.paths.append(self.path)
            trouble, self.close_connection = state.next_trouble(), True
            if trouble == "lose-request":
                return
            if isinstance(trouble, int):
                self._answer(trouble, state.headers, b'{"odata.error":{"code":"ServerBusy"}}')
                return
            status, headers, content = self._forward(body)
            if trouble == "lose-answer":
                return
            if trouble == "garbage":
                content = b"<html>not storage"
            if trouble == "truncate":
                headers["Content-Length"] = str(len(content) + 10)
            self._answer(status, headers, content)

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(host)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            skipped = ("connection", "transfer-encoding", "content-length", "keep-alive")
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in skipped}
            return answer.status, headers, content

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_MERGE = _handle

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
