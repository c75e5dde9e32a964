"""What the platform is told: names, triggers, queues, schedules, and who may call."""

import asyncio
import importlib.util
import json
import threading
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
    "dashboard": "GET",
}
# What a browser asks for: the page's files, and its data.
BELOW = {"dashboard_file": "dashboard/static/{name}", "dashboard_data": "dashboard/data"}
ANONYMOUS = {"health", "dashboard", "dashboard_file"}


def module() -> Any:
    """The app, as a module of its own: an app can be asked once."""
    spec = importlib.util.spec_from_file_location("function_app_once", FILE)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def triggers() -> dict[str, dict[str, Any]]:
    """The trigger of each function."""
    return {f.get_function_name(): f.get_trigger().get_dict_repr() for f in module().app.get_functions()}


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {name: t for name, t in triggers().items() if t["type"] == kind}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexing needs no setting: without them the platform would show no function, and no reason."""
    for name in ("LB_EVENTS_QUEUE", "RECONCILE_QUEUE", "RESYNC_SCHEDULE", "PROBE_SCHEDULE", "CLUSTERS"):
        monkeypatch.delenv(name, raising=False)


def test_these_are_the_functions() -> None:
    """A function that is renamed loses its keys, its timer's state and its dashboards."""
    assert set(triggers()) == {*QUEUES, *ROUTES, *BELOW, "on_event_grid", "on_timer", "on_probe"}


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
    assert {name: [m.value for m in t["methods"]] for name, t in found.items()} == {
        **{name: [method] for name, method in ROUTES.items()},
        **{name: ["GET"] for name in BELOW},
    }
    assert {name: t["route"] for name, t in found.items()} == {**{name: name for name in ROUTES}, **BELOW}


@pytest.mark.parametrize(
    ("setting", "open_too"), [("", set()), ("false", set()), ("True", {"dashboard_data"})]
)
def test_only_what_tells_nothing_is_anonymous(
    setting: str, open_too: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else tells names, or writes; where the platform signs people in, the data asks for its ticket."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", setting)
    levels = {name: t["authLevel"].name for name, t in of_kind("httpTrigger").items()}
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == ANONYMOUS | open_too
    assert {level for name, level in levels.items() if name not in ANONYMOUS | open_too} == {"FUNCTION"}


def test_a_request_is_answered_while_runs_are_under_way() -> None:
    """A pause is most urgent then. As many runs go on at once as the host hands out to one instance."""
    queues = json.loads(FILE.with_name("host.json").read_text())["extensions"]["queues"]
    runs = len(QUEUES) * (queues["batchSize"] + queues["newBatchThreshold"])
    made, begun, ended = module(), threading.Barrier(runs + 1), threading.Event()

    def work() -> bool:
        begun.wait(20)
        return ended.wait(20)

    async def answered() -> None:
        under_way = [asyncio.ensure_future(made._on_a_thread(work)) for _ in range(runs)]
        await made._on_a_thread(lambda: begun.wait(20))
        assert await asyncio.wait_for(made._on_a_thread(lambda: "paused"), 20) == "paused"
        ended.set()
        assert all(await asyncio.gather(*under_way))

    asyncio.run(answered())
