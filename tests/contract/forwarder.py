"""The sandbox's storage faults, for tests without an event loop of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from sandbox.storage_faults import start_storage_faults
from tests.contract.servers import event_loop


class Forwarder:
    """A forwarder to one storage service at ``url``, and its back door."""

    def __init__(self, url: str) -> None:
        self.url, self._door = url, requests.Session()
        self._door.trust_env = False

    def fail(self, mode: str | int, times: int | None = None, retry_after: str = "") -> None:
        """The next requests (all, unless told) meet this mode, or get an answer of this status."""
        headers = {"Retry-After": retry_after} if retry_after else {}
        kind = {"mode": mode} if isinstance(mode, str) else {"status": mode, "headers": headers}
        self._call("POST", "faults", {"times": times, **kind})

    def mend(self) -> None:
        """No more faults."""
        self._call("DELETE", "faults")

    @property
    def paths(self) -> list[str]:
        """The paths of the requests so far."""
        return [line["path"] for line in self._call("GET", "requests").json()["value"]]

    def forget(self) -> None:
        """Clear the log."""
        self._call("DELETE", "requests")

    def close(self) -> None:
        """Close the connection to the back door."""
        self._door.close()

    def _call(self, method: str, path: str, body: Any = None) -> requests.Response:
        answer = self._door.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer


@contextmanager
def forwarding(target: str) -> Iterator[Forwarder]:
    """Forward everything to the target (http://host:port), on a port of its own."""
    with event_loop() as run:
        server = run(start_storage_faults(target))
        forwarder = Forwarder(server.url)
        try:
            yield forwarder
        finally:
            forwarder.close()
            run(server.stop())
