"""Telemetry switched on as in Azure: the platform's worker library, Azure's distro, and an ingestion of our own."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reconciler import telemetry
from sandbox.up import Sandbox
from tests.functions.conftest import Functions, Json, end, serve
from tests.functions.test_invocations import message, web

__all__ = ["web"]  # a fixture: a Service that asks
pytestmark = [pytest.mark.sandbox, pytest.mark.azurite]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Ingestion:
    """Takes what Application Insights would, and keeps it."""

    def __init__(self) -> None:
        self.items: list[Json] = []
        kept = self.items

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                items = json.loads(body) if "/track" in self.path else []
                kept.extend(items)
                self._answer({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []})

            def do_GET(self) -> None:
                self._answer({})

            def _answer(self, body: Json) -> None:
                answer = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def of(self, kind: str) -> list[Json]:
        """The data of one kind: RemoteDependencyData, MetricData, MessageData."""
        return [{**i, **i["data"]["baseData"]} for i in self.items if i["data"]["baseType"] == kind]


@pytest.fixture(scope="module")
def ingestion(second_environment: None, sandbox: Sandbox, web: str) -> Iterator[Ingestion]:
    """What came in from a worker that wrote once and ended."""
    taken = Ingestion()
    running = serve({**sandbox.settings, **settings(taken)})
    try:
        run(running)
    finally:
        end(running)
    yield taken
    taken.server.shutdown()
    taken.server.server_close()


# As in infra/modules/function-app.bicep.
SWITCHES = {
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "azure_sdk,requests,urllib,urllib3",
    "OTEL_TRACES_SAMPLER": "parentbased_always_on",
}


def settings(ingestion: Ingestion) -> dict[str, str]:
    places = f"IngestionEndpoint={ingestion.url};LiveEndpoint={ingestion.url}"
    return {
        **SWITCHES,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey=00000000-0000-0000-0000-000000000001;{places}",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    }


def run(functions: Functions) -> None:
    """One wake-up, within a trace of the host."""
    value, metadata = message('{"cluster": "prod", "reason": "event"}')
    order = {"function": "on_reconcile", "input": value, "metadata": metadata}
    ended = functions.order({**order, "trace": f"00-{TRACE}-{PARENT}-01"})
    assert (ended["status"], ended["error"]) == (1, "")


def test_the_run_is_in_the_trace_of_the_host(ingestion: Ingestion) -> None:
    """The host's request, the run below it, the calls below the run: one picture in Application Insights."""
    spans = {i["name"]: i for i in ingestion.of("RemoteDependencyData")}
    tags = spans["reconcile"]["tags"]
    assert (tags["ai.operation.id"], tags["ai.operation.parentId"]) == (TRACE, PARENT)
    for name in ("arm list_load_balancers", "kubernetes list_services", "tables write_state", "queues send"):
        assert spans[name]["tags"]["ai.operation.parentId"] == spans["reconcile"]["id"]
        assert spans[name]["properties"]["cluster"] == "prod"
    assert spans["arm list_load_balancers"]["target"] == "arm"


def test_a_call_is_there_once(ingestion: Ingestion) -> None:
    """With the distro's own instrumentations it would be there again, and paid for: as in infra, they are off."""
    names = [i["name"] for i in ingestion.of("RemoteDependencyData")]
    assert {name.split()[0] for name in names} == {
        "reconcile",
        "arm",
        "kubernetes",
        "tables",
        "queues",
        "blobs",
    }
    assert names.count("arm list_load_balancers") == 1


def test_metrics_arrive_by_their_names(ingestion: Ingestion) -> None:
    """Alerts ask for exactly these."""
    told = {i["metrics"][0]["name"]: i for i in ingestion.of("MetricData")}
    runs = told[telemetry.RUNS.name]
    assert runs["properties"] == {"cluster": "prod", "trigger": "event", "result": "changed"}
    assert (runs["metrics"][0]["value"], telemetry.QUEUE_AGE.name in told) == (1, True)


def test_lines_arrive_with_their_fields(ingestion: Ingestion) -> None:
    """What the log says of the run, within its trace."""
    (line,) = [i for i in ingestion.of("MessageData") if "1 accepted" in i["message"]]
    said = line["properties"]
    assert (said["cluster"], said["trigger"], line["tags"]["ai.operation.id"]) == ("prod", "event", TRACE)
