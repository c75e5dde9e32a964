"""What an outside call is: a system, a method, and a path without the names of one run.

Calls are found in the servers' logs, never named; a template is also the pattern by which a fault finds its call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

ANY = "{}"
_ARM_NAMES = re.compile(
    r"(?<=/subscriptions/)[^/]+|(?<=/resourceGroups/)[^/]+|(Microsoft\.Network/[A-Za-z]+/)[^/]+(/[A-Za-z]+/)?(?:[^/]+)?",
    re.IGNORECASE,
)
_SERVICE = re.compile(r"(/namespaces/)[^/]+(/services/)[^/?]+")
_EVENT = re.compile(r"(/namespaces/)[^/]+(/events)(?:(/)[^/?]+)?")
_KEY = re.compile(r"(PartitionKey|RowKey)='(reserved|(?:%7C|\|)schema|schema)?[^']*'")
_CELL = re.compile(r"c\d+x\d+z")  # a cell's tables and containers begin with its name


@dataclass(frozen=True)
class Request:
    """A line of a server's log; status None or 0 where the connection dropped."""

    system: str
    method: str
    path: str
    status: int | None

    @cached_property
    def call(self) -> Call:
        """The call that it is an instance of."""
        return Call(self.system, self.method, template(self.system, self.path))


@dataclass(frozen=True, order=True)
class Call:
    """An outside call."""

    system: str
    method: str
    path: str

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def starts_operation(self) -> bool:
        """Whether Azure goes on working on it after it answered."""
        return self.system == "arm" and self.writes

    @property
    def only_tells(self) -> bool:
        """Whether people and pipelines alone are told by it, so that no Private Link Service may wait for it."""
        return self.system == "topic" or (self.system == "blobs" and not self.lists_clusters)

    @property
    def lists_clusters(self) -> bool:
        """Whether it reads the list of clusters, of which a process keeps the last good copy."""
        return self.path.endswith("/clusters.yaml")

    @property
    def pattern(self) -> str:
        """The regular expression by which a fault finds it."""
        parts = [re.escape(part) for part in self.path.split(ANY)]
        # A row's key is not one of the marked kinds, which are calls of their own.
        names = [r"(?!reserved|(?:%7C|\|)?schema)" if part.endswith("='") else "" for part in parts[:-1]]
        between = [f"{name}[^/?'#$]*" for name in names]
        return "^" + "".join(map("".join, zip(parts, [*between, ""], strict=True))) + r"(\?.*)?$"

    def __str__(self) -> str:
        """As people know it: without what all paths of a system begin with."""
        path = self.path
        for pattern, instead in _SHORTER:
            path = pattern.sub(instead, path)
        return f"{self.method} {path}"


_SHORTER = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"^/devstoreaccount1/(\$batch)#\{\}(.*)", r"\1 of \2"),
        (r"^/devstoreaccount1/(\{\}-?)?", ""),
        (r"\(PartitionKey='[^']*schema\{\}.*", " (schema)"),
        (r"\(PartitionKey='reserved\{\}.*", " (a reservation)"),
        (r"\(PartitionKey=.*", " (a row)"),
        (r"\(\)$", " (query)"),
        (r"^/subscriptions/\{\}/providers/Microsoft.Network/", "subscription/"),
        (r"^/subscriptions/\{\}/resourceGroups/\{\}/providers/Microsoft.Network/", "group/"),
    )
)


def template(system: str, path: str) -> str:
    """A path without query, and with ``{}`` for each name."""
    path = path.partition("?")[0]
    match system:
        case "arm":
            return _ARM_NAMES.sub(_arm, path)
        case "kubernetes":
            path = _EVENT.sub(lambda m: f"{m[1]}{ANY}{m[2]}{f'/{ANY}' if m[3] else ''}", path)
            return _SERVICE.sub(rf"\1{ANY}\2{ANY}", path)
        case "tables":
            path = _CELL.sub(ANY, path, 1)
            return _KEY.sub(lambda m: f"{m[1]}='{m[2] or ''}{ANY}'", path)
        case "blobs":
            return _CELL.sub(ANY, path)
    return path


def _arm(match: re.Match[str]) -> str:
    if match[1] is None:
        return ANY
    return f"{match[1]}{ANY}{match[2]}{ANY}" if match[2] else f"{match[1]}{ANY}"
