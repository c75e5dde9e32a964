"""What the platform is told: names, triggers, queues, schedules, and who may call."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "function_app.py"
QUEUES = {
    "on_event_queue": "lb-events",
    "on_reconcile": "reconcile",
    "on_poison": "reconcile-poison",
    "on_poison_event": "lb-events-poison",
}
ROUTES = {
    "resync": "POST",
    "release": "POST",
    "pause": "POST",
    "resume": "POST",
    "plan": "GET",
    "status": "GET",
    "history": "GET",
    "health": "GET",
}


def triggers() -> dict[str, dict[str, Any]]:
    """The trigger of each function, from a module of its own: an app can be asked once."""
    spec = importlib.util.spec_from_file_location("function_app_once", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {f.get_function_name(): f.get_trigger().get_dict_repr() for f in module.app.get_functions()}


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {name: t for name, t in triggers().items() if t["type"] == kind}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexing needs no setting: without them the platform would show no function, and no reason."""
    for name in ("LB_EVENTS_QUEUE", "RECONCILE_QUEUE", "RESYNC_SCHEDULE", "PROBE_SCHEDULE", "CLUSTERS"):
        monkeypatch.delenv(name, raising=False)


def test_these_are_the_functions() -> None:
    """A function that is renamed loses its keys, its timer's state and its dashboards."""
    assert set(triggers()) == {*QUEUES, *ROUTES, "on_event_grid", "on_timer", "on_probe"}


def test_queues_and_their_poison() -> None:
    """A poison queue nobody listens to is a silent loss."""
    found = of_kind("queueTrigger")
    assert {name: t["queueName"] for name, t in found.items()} == QUEUES
    assert {t["connection"] for t in found.values()} == {"AzureWebJobsStorage"}


def test_queues_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two deployments in one storage account; the poison queues follow."""
    monkeypatch.setenv("RECONCILE_QUEUE", "work-b")
    monkeypatch.setenv("LB_EVENTS_QUEUE", "events-b")
    assert {name: t["queueName"] for name, t in of_kind("queueTrigger").items()} == {
        "on_event_queue": "events-b",
        "on_reconcile": "work-b",
        "on_poison": "work-b-poison",
        "on_poison_event": "events-b-poison",
    }


def test_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every five minutes and every thirty seconds, unless set."""
    assert {name: t["schedule"] for name, t in of_kind("timerTrigger").items()} == {
        "on_timer": "0 */5 * * * *",
        "on_probe": "*/30 * * * * *",
    }
    monkeypatch.setenv("RESYNC_SCHEDULE", "0 0 * * * *")
    monkeypatch.setenv("PROBE_SCHEDULE", " ")
    assert {name: t["schedule"] for name, t in of_kind("timerTrigger").items()} == {
        "on_timer": "0 0 * * * *",
        "on_probe": "*/30 * * * * *",
    }


def test_routes_and_methods() -> None:
    """What changes something is a POST: no browser or crawler does it by following a link."""
    found = of_kind("httpTrigger")
    assert {t["route"]: [m.value for m in t["methods"]] for t in found.values()} == {
        route: [method] for route, method in ROUTES.items()
    }
    assert all(name == t["route"] for name, t in found.items())


def test_only_health_is_anonymous() -> None:
    """Everything else tells names and addresses, or writes."""
    levels = {name: t["authLevel"].name for name, t in of_kind("httpTrigger").items()}
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == {"health"}
    assert {level for name, level in levels.items() if name != "health"} == {"FUNCTION"}
