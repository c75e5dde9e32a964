"""Queues, tables, containers and functions are called alike in Bicep, host.json and the code."""

import json
from typing import Any

import pytest

from reconciler.adapters.tables import TableLedger
from tests.functions.test_bindings import triggers
from tests.infra.bicep import INFRA, ROOT, bicep, default_of, literal, variable

MAIN = INFRA / "main.bicep"
STORAGE = INFRA / "modules/storage.bicep"


class Account:
    """Notes which tables are opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    @property
    def tables(self) -> "Account":
        return self

    def get_table_client(self, name: str) -> None:
        self.opened.append(name)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LB_EVENTS_QUEUE", "RECONCILE_QUEUE", "RESYNC_SCHEDULE", "PROBE_SCHEDULE"):
        monkeypatch.delenv(name, raising=False)


def queues() -> list[str]:
    """Those that Bicep makes, with the parameters' defaults."""
    given = literal(bicep(MAIN).all("module")["storage"].properties("params")["queues"])
    return [default_of(MAIN, name) for name in given]


def test_queues_are_those_that_functions_listen_to() -> None:
    """A trigger on a queue that is not there logs an error each few seconds, and a poison message had no place."""
    poison = bicep(STORAGE).all("resource")["poisonQueues"].properties()["name"]
    suffix = literal(poison).strip("'").removeprefix("${queue}")
    listened = {t["queueName"] for t in triggers().values() if t["type"] == "queueTrigger"}
    assert {*queues(), *(f"{queue}{suffix}" for queue in queues())} == listened


def test_event_grid_fills_the_queue_of_events() -> None:
    """Two names that are mixed up would make wake-ups of events."""
    events = bicep(MAIN).all("module")["events"].properties("params")
    name = literal(events["queueName"])
    assert default_of(MAIN, name) == triggers()["on_event_queue"]["queueName"]
    assert variable(MAIN, "productSettings")["LB_EVENTS_QUEUE"] == name


def test_messages_are_read_as_event_grid_writes_them() -> None:
    """Event Grid writes base64 into a queue."""
    host: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
    assert host["extensions"]["queues"]["messageEncoding"] == "base64"
    assert host["extensions"]["http"]["routePrefix"] == "api"  # the hook's address


def test_tables_are_those_of_the_ledgers() -> None:
    """A table that is missing is made by the first function; one too many is never read."""
    account = Account()
    TableLedger(account)  # type: ignore[arg-type]
    assert variable(STORAGE, "tables") == account.opened


def test_containers_are_three() -> None:
    """The package, the dead letters, and CLUSTERS_BLOB, which the parameter's description names."""
    names = ("deploymentContainerName", "deadLetterContainerName", "clustersContainerName")
    assert [variable(STORAGE, name) for name in names] == ["deployments", "event-dead-letters", "clusters"]
    made = bicep(STORAGE).all("resource")["containers"].node
    assert all(name in (made.text or b"").decode() for name in names)
    assert "container clusters" in bicep(MAIN).all("parameter")["clustersBlob"].description
