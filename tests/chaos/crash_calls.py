"""The one place through which every outside call of a worker goes, and what a test does there.

azure-core's transport, both storage SDKs, the identity client and the ``kubernetes`` client all end in urllib3's
``HTTPConnectionPool.urlopen``; a test asserts that what is recorded covers all of them.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from urllib3.connectionpool import HTTPConnectionPool

Send = Callable[[], Any]

_GUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_EVENT = re.compile(r"(/events/)[^/]+")  # named by what it tells, aliases included
_IN_BATCH = re.compile(rb"^(?:POST|PUT|PATCH|MERGE|DELETE) \S+?/(\w+)[( ]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the system it goes to (``arm``, ``kubernetes``, ``tables`` …) and its normalised path."""

    system: str
    method: str
    path: str

    @property
    def label(self) -> str:
        """The same in each run of a story, whatever ids and names were given out."""
        return f"{self.method} {self.system} {self.path}"


class Hook(Protocol):
    """What a test does around each call. ``send`` does the call and gives urllib3's response."""

    def around(self, call: Call, send: Send) -> Any:
        """Do the call (or not) and give what the client shall see."""


@dataclass
class Recorder:
    """Lets every call through and remembers it, in the order of sending. The base of other hooks."""

    calls: list[str] = field(default_factory=list)
    handed: int = 0  # how many calls there were when the present message came
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, call: Call, send: Send) -> Any:
        """Count, then send."""
        return self.hit(self.counted(call), send)

    def counted(self, call: Call) -> str:
        """The call as a point: its label and how many of that label there were."""
        with self._lock:
            self._counts[call.label] += 1
            point = f"{call.label} #{self._counts[call.label]}"
            self.calls.append(point)
            return point

    def hit(self, point: str, send: Send) -> Any:
        """What to do at a point."""
        return send()


@dataclass
class KillAt(Recorder):
    """Kills this process at a point: ``before`` the request is sent, or ``after`` its answer has come."""

    point: str = ""
    side: str = "before"
    tell: Callable[[Mapping[str, Any]], None] = lambda word: None

    def hit(self, point: str, send: Send) -> Any:
        """Send, unless this is the point and the moment."""
        if point == self.point and self.side == "before":
            self._die()
        answer = send()
        if point == self.point:
            self._die()
        return answer

    def _die(self) -> None:
        self.tell({"killing": self.point, "calls": self.calls[self.handed :]})
        os.kill(os.getpid(), signal.SIGKILL)


def install(hook: Hook, systems: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Put a hook around all calls of this process.

    ``systems`` names them by ``host:port``; ``words`` are replaced in paths (names made for one run).
    """
    inner = HTTPConnectionPool.urlopen

    def urlopen(
        self: HTTPConnectionPool, method: str, url: str, body: Any = None, *args: Any, **kw: Any
    ) -> Any:
        address = f"{self.host}:{self.port}"
        call = Call(systems.get(address, address), method, template(url, body, words))
        return hook.around(call, lambda: inner(self, method, url, body, *args, **kw))

    setattr(HTTPConnectionPool, "urlopen", urlopen)  # noqa: B010 (its overloads are not ours to repeat)


def template(url: str, body: Any, words: Mapping[str, str]) -> str:
    """A path without query, ids and the names of one run; a batch with the table that it is for."""
    path = url.partition("?")[0]
    for word, instead in words.items():
        path = path.replace(word, instead)
    path = _EVENT.sub(r"\1{event}", _GUID.sub("{id}", path))
    if path.endswith("/$batch"):
        content = body if isinstance(body, bytes) else str(body).encode()
        found = _IN_BATCH.search(content)
        path += f" {found[1].decode()}" if found else ""
    return path
