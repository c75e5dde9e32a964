"""Servers for the contract tests: the sandbox's, run in a thread, and one that answers what it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import requests

from sandbox.tls import Authority

_T = TypeVar("_T")
_PATIENCE = 20.0


@contextmanager
def event_loop() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """An event loop in a thread of its own; yields a function that runs a coroutine on it to its end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE)
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_the_rest(), loop).result(_PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)
        loop.close()


async def _cancel_the_rest() -> None:
    """Answers that a fault holds back for longer than their test."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


class BackDoor:
    """The marked back door of a sandbox server."""

    def __init__(self, url: str, ca: Path) -> None:
        self._url, self._session = f"{url}/_sandbox", requests.Session()
        self._session.trust_env, self._session.verify = False, str(ca)

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """One request that must succeed; its JSON, None where there is none."""
        answer = self._session.request(method, f"{self._url}/{path}", params=query, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def fault(self, **fault: Any) -> None:
        """Let the next matching request go wrong."""
        self.call("POST", "faults", fault)

    def clear(self) -> None:
        """No more faults; an empty request log."""
        self.call("DELETE", "faults")
        self.call("DELETE", "requests")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


@dataclass(frozen=True)
class Answer:
    """What the scripted server says; a body of pieces is sent piece by piece, without a length."""

    status: int = 200
    body: bytes | Iterable[bytes] = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """A TLS server on localhost whose answers are told per path (without query; "" is any other)."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)


@contextmanager
def scripted(authority: Authority) -> Iterator[Scripted]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    script = Scripted(f"https://localhost:{server.server_port}")
    server.RequestHandlerClass = _handler(script)
    server.socket = authority.server_context().wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_PATIENCE)


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else every answer waits 40 ms for a delayed acknowledgement of its headers.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, _ = self.path.partition("?")
            script.seen.append((self.command, self.path, dict(self.headers)))
            answer = script.answers.get(path) or script.answers.get("") or Answer(404)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if isinstance(answer.body, bytes):
                self.send_header("Content-Length", str(len(answer.body)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            try:
                for piece in (answer.body,) if isinstance(answer.body, bytes) else answer.body:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:  # the client had enough
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
