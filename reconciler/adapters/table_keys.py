"""Keys of table rows: any text becomes one that Table Storage takes, and no two texts the same one.

The service refuses ``/ \\ # ?`` and control characters in keys and more than 1 KiB (512 characters);
``%`` is risky. A slash becomes ``|`` (an id stays readable), any other unusual character ``!hex!``.
What would be too long ends in ``~`` and a hash instead.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets
from datetime import UTC, datetime, timedelta

from reconciler import arm_ids
from reconciler.model import ServiceRef

_UNUSUAL = re.compile(r"[^A-Za-z0-9._()-]")
_LONGEST = 400
_EPOCH = datetime.min.replace(tzinfo=UTC)
_LAST_MICROSECOND = 10**18 - 1

ALL_CLUSTERS = "|all"
"""The partition of the history that holds every cluster's lines; no cluster's key looks like it."""


def escape(text: str, longest: int = _LONGEST) -> str:
    """A key for any text: ASCII, at most ``longest`` (>= 80) characters, different for different texts."""
    key = _UNUSUAL.sub(_substitute, text)
    if len(key) <= longest:
        return key
    digest = hashlib.sha256(key.encode("ascii")).hexdigest()
    return f"{key[: longest - 65]}~{digest}"


def _substitute(match: re.Match[str]) -> str:
    return "|" if match[0] == "/" else f"!{ord(match[0]):x}!"


def cluster_key(cluster: str) -> str:
    """The partition of a cluster: its own name, for every name the settings allow."""
    return escape(cluster).replace("|", "!2f!")


def pls_key(pls_id: str) -> str:
    """The row of a PLS within its cluster."""
    return escape(arm_ids.key(pls_id))


def reservation_partition(pls_id: str) -> str:
    """Reservations are kept by resource group, across clusters: that is where names collide."""
    parsed = arm_ids.parse(pls_id)
    subscription, group = (parsed.subscription, parsed.resource_group) if parsed else ("", "")
    return f"reserved|{escape(subscription.lower(), 150)}|{escape(group.lower(), 250)}"


def sharing_key(pls_id: str, service: ServiceRef) -> str:
    """The row of one tenant of one PLS."""
    return f"{escape(arm_ids.key(pls_id), 340)}:{escape(service.key, 160)}"


class HistoryKeys:
    """Row keys that sort newest first; within one process also where the times are equal.

    A later line of one call counts as newer. Keys of different processes never collide.
    """

    def __init__(self) -> None:
        self._process = secrets.token_hex(6)
        self._lines = itertools.count()

    def next(self, at: datetime) -> str:
        """The key of a line of this time."""
        line = 10**12 - 1 - next(self._lines)
        return f"{history_key_at(at)}{line:012d}-{self._process}"


def history_key_at(at: datetime) -> str:
    """What the keys of all lines of this time begin with: every older line's key is greater than those."""
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    return f"{_LAST_MICROSECOND - micros:018d}-"
