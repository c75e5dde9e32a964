"""What configures a host: host.json, local.settings.json, the environment and `%NAME%` references."""

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

OVERRIDE = "AzureFunctionsJobHost__"

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d{1,7})?)")
_REFERENCE = re.compile(r"%([^%]+)%")


class ConfigurationError(Exception):
    """Something the host cannot start with; one line per mistake."""


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues` of host.json, with the platform's defaults."""

    max_polling_interval: timedelta = timedelta(minutes=1)
    visibility_timeout: timedelta = timedelta(0)  # after a failure, not while processing
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    base64: bool = True


@dataclass(frozen=True)
class HostOptions:
    """What host.json says, as far as it matters on one machine."""

    function_timeout: timedelta | None = timedelta(minutes=30)  # None: unbounded
    route_prefix: str = "api"
    queues: QueueOptions = field(default_factory=QueueOptions)


def parse_timespan(text: str) -> timedelta:
    """`[d.]hh:mm:ss[.f]`; as in .NET, 24 hours or more mean `dd:hh:mm`. Raises ValueError."""
    match = _TIMESPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time span (hh:mm:ss)")
    days, first, second, third = int(match[1] or 0), int(match[2]), int(match[3]), float(match[4])
    if first > 23 and match[1] is None:
        return timedelta(days=first, hours=second, minutes=third)
    return timedelta(days=days, hours=first, minutes=second, seconds=third)


def load_local_settings(path: Path, environment: MutableMapping[str, str]) -> None:
    """Add the `Values` of a local.settings.json; what the environment already has stays, as in `func`."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig")).get("Values", {})
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for name, value in values.items():
        environment.setdefault(name, str(value))


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by its setting. Raises ConfigurationError."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise ConfigurationError(f"'%{match[1]}%' does not resolve to a value")
        return environment[match[1]]

    return _REFERENCE.sub(value, text)


def read_host_options(app: Path, environment: Mapping[str, str]) -> HostOptions:
    """host.json of the app's folder, overridden by AzureFunctionsJobHost__* settings."""
    path = app / "host.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
        for name, value in environment.items():
            if name.lower().startswith(OVERRIDE.lower()):
                _override(document, name[len(OVERRIDE) :].split("__"), value)
        return _host_options(document)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"host.json: {error}") from error


def _override(document: dict[str, Any], keys: list[str], value: str) -> None:
    """Put a setting in its place; names are compared without case, as .NET configuration does."""
    *parents, last = _spelling(keys, document)
    for key in parents:
        document = document.setdefault(key, {})
    document[last] = value


def _spelling(keys: list[str], document: Any) -> list[str]:
    found = []
    for key in keys:
        known = document if isinstance(document, dict) else {}
        key = next((k for k in known if k.lower() == key.lower()), key)
        found.append(key)
        document = known.get(key)
    return found


def _host_options(document: dict[str, Any]) -> HostOptions:
    extensions = document.get("extensions", {})
    return HostOptions(
        function_timeout=_function_timeout(document.get("functionTimeout")),
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        queues=_queue_options(extensions.get("queues", {})),
    )


def _function_timeout(text: str | None) -> timedelta | None:
    if text is None:
        return HostOptions.function_timeout
    return None if text == "-1" else parse_timespan(text)


def _queue_options(given: dict[str, Any]) -> QueueOptions:
    batch_size = _number(given, "batchSize", QueueOptions.batch_size, 1, 32)
    encoding = given.get("messageEncoding", "base64").lower()
    if encoding not in ("base64", "none"):
        raise ValueError(f"messageEncoding {encoding!r} is neither base64 nor none")
    polling = _timespan(given, "maxPollingInterval", QueueOptions.max_polling_interval)
    return QueueOptions(
        max_polling_interval=max(polling, timedelta(milliseconds=100)),
        visibility_timeout=_timespan(given, "visibilityTimeout", QueueOptions.visibility_timeout),
        batch_size=batch_size,
        new_batch_threshold=_number(given, "newBatchThreshold", batch_size // 2, 0, 1000),
        max_dequeue_count=_number(given, "maxDequeueCount", QueueOptions.max_dequeue_count, 1, 1000),
        base64=encoding == "base64",
    )


def _number(given: dict[str, Any], name: str, default: int, lowest: int, highest: int) -> int:
    value = int(given.get(name, default))
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}, allowed are {lowest} to {highest}")
    return value


def _timespan(given: dict[str, Any], name: str, default: timedelta) -> timedelta:
    return parse_timespan(given[name]) if name in given else default
