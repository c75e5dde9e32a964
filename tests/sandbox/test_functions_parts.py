"""The functions host's own rules: schedules, time spans, back-off, routes, connections, keys, settings."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest

from sandbox.functions.backoff import Backoff
from sandbox.functions.configuration import (
    ConfigurationError,
    load_local_settings,
    parse_timespan,
    read_host_options,
    resolve,
)
from sandbox.functions.connections import Account, find_account
from sandbox.functions.invocation import queue_messages
from sandbox.functions.keys import keys_in
from sandbox.functions.routes import compile_route
from sandbox.functions.schedules import parse_schedule
from sandbox.functions.timers import NEVER, Status, initial_status

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("*/30 * * * * *", "2026-11-21T12:00:30"),
        ("0 */5 * * * *", "2026-11-21T12:05:00"),
        ("*/5 * * * *", "2026-11-21T12:05:00"),  # five fields: second 0
        ("0 0 0 * * MON-FRI", "2026-11-23T00:00:00"),
        ("0 0 6 13 * FRI", "2026-11-13T06:00:00"),  # both days have to match
        ("0 30 9 1,15 JAN *", "2027-01-01T09:30:00"),
        ("00:00:10", "2026-11-21T12:00:10"),
        ("1.00:00:00", "2026-11-22T12:00:00"),
    ],
)
def test_a_schedule_tells_its_next_occurrence(text: str, following: str) -> None:
    """NCRONTAB with seconds first, or a time span; always in UTC."""
    start = datetime(2026, 11, 1, tzinfo=UTC) if "FRI" in text and "13" in text else NOON
    assert parse_schedule(text).next(start) == datetime.fromisoformat(following + "+00:00")


@pytest.mark.parametrize("text", ["", "* * *", "61 * * * * *", "@daily", "0 0 0 L * *", "00:00:00", "soon"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """At start, instead of a timer that never fires; cron's own extensions are not NCRONTAB."""
    with pytest.raises(ValueError, match=r"\S"):
        parse_schedule(text)


def test_only_rare_timers_are_monitored() -> None:
    """The platform keeps no status for what fires more often than each minute."""
    assert parse_schedule("0 */5 * * * *").is_monitored(NOON)
    assert not parse_schedule("*/30 * * * * *").is_monitored(NOON)


def test_a_timer_goes_on_from_its_stored_status() -> None:
    """A missed occurrence is past due, unless the schedule was changed since."""
    schedule, hour = parse_schedule("0 0 * * * *"), timedelta(hours=1)
    missed = Status(NOON - 3 * hour, NOON - 2 * hour)
    assert initial_status(schedule, None, NOON) == Status(NEVER, NOON + hour)
    assert initial_status(schedule, missed, NOON) == missed
    changed = parse_schedule("0 30 * * * *")
    assert initial_status(changed, missed, NOON) == Status(missed.last, NOON + hour / 2)


def test_time_spans_are_read_as_dotnet_reads_them() -> None:
    """More than 23 hours are days; fractions count."""
    assert parse_timespan("00:00:00.200") == timedelta(milliseconds=200)
    assert parse_timespan("1.02:03:04") == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert parse_timespan("24:00:00") == timedelta(days=24)
    with pytest.raises(ValueError, match="not a time span"):
        parse_timespan("5s")


def test_polling_slows_down_to_the_maximum_and_speeds_up_at_once() -> None:
    """No pause while messages come; without, 0.1 s and then longer, never beyond maxPollingInterval."""
    backoff = Backoff(timedelta(seconds=2), uniform=lambda low, high: 0.0)
    pauses = [backoff.after(found).total_seconds() for found in [False] * 8]
    assert pauses == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.9, 1.7, 2, 2])
    assert backoff.after(True) == timedelta(0)
    assert backoff.after(False) == timedelta(milliseconds=100)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/plan/{cluster?}", "api/plan", {}),
        ("api/plan/{cluster?}", "api/plan/a%2Fb", {"cluster": "a/b"}),
        ("api/n/{id:int}", "api/n/12", {"id": "12"}),
        ("api/n/{id:int}", "api/n/x", None),
        ("api/files/{*rest}", "api/files/a/b", {"rest": "a/b"}),
        ("/{name}", "x", {"name": "x"}),  # an empty route prefix
        ("api/v1.0", "api/v1x0", None),
    ],
)
def test_routes_match_as_templates(template: str, path: str, parameters: dict[str, str] | None) -> None:
    """Optional, constrained and catch-all parameters; literals are literal."""
    assert compile_route(template).match(path) == parameters


def test_a_connection_is_a_string_or_uris_with_an_identity() -> None:
    """Looked up with the platform's prefix first; a missing one names its setting."""
    assert find_account("", {"AzureWebJobsStorage": "A=b"}) == Account("A=b")
    assert find_account("Work", {"AzureWebJobsWork": "A=b", "Work": "C=d"}) == Account("A=b")
    assert (
        find_account("Work", {"Work": "UseDevelopmentStorage=true"}).connection_string.count("http://") == 3
    )
    uris = {"Work__queueServiceUri": "https://q", "Work__clientId": "id"}
    assert find_account("Work", uris) == Account(queue_uri="https://q", client_id="id")
    by_name = find_account("AzureWebJobsStorage", {"AzureWebJobsStorage__accountName": "acc"})
    assert (by_name.queue_uri, by_name.blob_uri) == (
        "https://acc.queue.core.windows.net",
        "https://acc.blob.core.windows.net",
    )
    with pytest.raises(ConfigurationError, match="'Work'"):
        find_account("Work", {})


def test_settings_resolve_in_names() -> None:
    """Also inside a name; an unknown one is a mistake."""
    assert resolve("%A%-poison", {"A": "work"}) == "work-poison"
    with pytest.raises(ConfigurationError, match="%B%"):
        resolve("%B%", {})


def test_the_environment_goes_before_local_settings(tmp_path: Path) -> None:
    """As with `func start`: a file never overrides what the shell says."""
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"Values": {"A": "file", "B": "file"}}))
    environment = {"A": "shell"}
    load_local_settings(path, environment)
    assert environment == {"A": "shell", "B": "file"}
    path.write_text("[]")
    with pytest.raises(ConfigurationError, match=r"local\.settings\.json"):
        load_local_settings(path, environment)


def test_host_json_is_read_with_defaults_and_overrides(tmp_path: Path) -> None:
    """The platform's defaults; AzureFunctionsJobHost__ settings lay over the file, without case."""
    assert read_host_options(tmp_path, {}).queues.new_batch_threshold == 8
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"batchSize": 4}}}')
    overrides = {"AzureFunctionsJobHost__extensions__Queues__maxPollingInterval": "00:00:01"}
    options = read_host_options(tmp_path, overrides).queues
    assert (options.batch_size, options.new_batch_threshold) == (4, 2)
    assert options.max_polling_interval == timedelta(seconds=1)
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"batchSize": 33}}}')
    with pytest.raises(ConfigurationError, match="batchSize is 33"):
        read_host_options(tmp_path, {})


def test_keys_stay_from_start_to_start(tmp_path: Path) -> None:
    """Whoever noted a key can use it after a restart; a new function gets one; nobody else may read them."""
    path = tmp_path / "keys.json"
    first = keys_in(path, ["a"])
    second = keys_in(path, ["a", "b"])
    assert (second.master, second.functions["a"]) == (first.master, first.functions["a"])
    assert second.functions["b"] not in ("", second.functions["a"])
    assert path.stat().st_mode & 0o077 == 0


def test_what_a_function_sends_becomes_messages() -> None:
    """Nothing, text, JSON, one per item of a list, the body of a message."""
    assert queue_messages(None) == []
    assert queue_messages("ü") == ["ü".encode()]
    assert queue_messages(["a", "b"]) == [b"a", b"b"]
    assert queue_messages(func.QueueMessage(body=b"x")) == [b"x"]
