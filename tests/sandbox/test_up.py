"""The sandbox as a whole: what it starts, what it tells, and that it leaves nothing behind."""

from __future__ import annotations

import base64
import gc
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.storage.queue import QueueClient

from reconciler.settings import load
from sandbox.__main__ import main
from sandbox.cloud_provider.kubeconfig import KubeconfigError
from sandbox.functions.process import FunctionsUnavailable
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_texts import farewell, welcome
from tests.sandbox.provider_steps import World, until

ROOT = Path(__file__).parents[2]
APP = """
import json, os
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.route(route="settings")
async def settings(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(os.environ)), mimetype="application/json")
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A functions app that shows its environment."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text('{"version": "2.0"}')
    return folder


@pytest.fixture(scope="module")
def sandbox(app: Path) -> Iterator[Sandbox]:
    options = SandboxOptions(
        clusters=("prod", "dev"),
        provisioning_seconds=0.3,
        app=app,
        settle_seconds=3,
        extra_settings={"GRACE_SECONDS": "4", "PROBE_SCHEDULE": "*/7 * * * * *"},
    )
    with Sandbox.start(options) as running:
        yield running


def messages(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The events in the queue lb-events, decoded."""
    text = sandbox.endpoints["storage"]["connectionString"]
    with QueueClient.from_connection_string(text, "lb-events") as queue:
        return [json.loads(base64.b64decode(m.content)) for m in queue.peek_messages(32)]


def test_a_service_ends_as_an_event_in_the_storage_queue(sandbox: Sandbox) -> None:
    """From the cluster over the cloud provider and ARM to Event Grid's subscription: base64 JSON."""
    aks = sandbox.endpoints["clusters"]["prod"]["resourceId"]
    assert (
        sandbox.arm("POST", f"{aks}/listClusterUserCredential").status == 200
    )  # an action: not subscribed to
    World(sandbox).apply("app")
    World(sandbox).ready("app")
    event = until(lambda: next(iter(messages(sandbox)), None))
    assert event["eventType"] == "Microsoft.Resources.ResourceWriteSuccess"
    assert event["data"]["operationName"] == "Microsoft.Network/loadBalancers/write"
    assert (
        event["subject"]
        .lower()
        .endswith("/resourcegroups/mc_prod/providers/microsoft.network/loadbalancers/kubernetes-internal")
    )


def test_the_product_accepts_the_generated_settings(sandbox: Sandbox) -> None:
    """Both sides of the fence agree on names and shapes; neither imports the other."""
    settings = load(sandbox.settings)
    assert [cluster.name for cluster in settings.clusters.clusters] == ["prod", "dev"]
    assert {cluster.in_tree for cluster in settings.clusters.clusters} == {"absent"}
    assert {cluster.settle_seconds for cluster in settings.clusters.clusters} == {3}
    assert settings.clusters.clusters[0].access.kubeconfig == str(sandbox.kubeconfig("prod"))
    assert settings.limits.grace_seconds == 4
    assert settings.probe_schedule == "*/7 * * * * *"


def test_the_functions_run_with_the_generated_settings(sandbox: Sandbox) -> None:
    """All of them, and an identity endpoint that a credential can use without our authority."""
    seen = sandbox.function("GET", "/api/settings").body
    assert sandbox.settings.items() <= seen.items()
    assert seen["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")


def test_both_clusters_answer_with_networks_of_their_own(sandbox: Sandbox) -> None:
    """endpoints.json is true of each cluster."""
    written = json.loads((sandbox.state / "endpoints.json").read_text())
    assert written == sandbox.endpoints
    for name, known in written["clusters"].items():
        assert sandbox.cluster(name, "GET", "/api/v1/namespaces/default").status == 200
        group = f"/subscriptions/{written['arm']['subscription']}/resourceGroups/{known['nodeResourceGroup']}"
        vnet = f"{group}/providers/Microsoft.Network/virtualNetworks/{known['vnet']['name']}"
        assert sandbox.arm("GET", vnet).status == 200


def test_the_files_with_secrets_are_for_their_owner_only(sandbox: Sandbox) -> None:
    """Tokens and keys lie in a folder of the user's choice."""
    for name in ("endpoints.json", "environment", "local.settings.json", "prod.kubeconfig", "server.key"):
        assert (sandbox.state / name).stat().st_mode & 0o077 == 0, name


def test_sigterm_ends_every_process_and_takes_the_endpoints_away(app: Path, tmp_path: Path) -> None:
    """Whoever waits for endpoints.json never reads those of a sandbox that is gone."""
    words = [
        "up",
        "--state",
        str(tmp_path),
        "--clusters",
        "one",
        "--app",
        str(app),
        "--setting",
        "COLOUR=red",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        path = tmp_path / "endpoints.json"
        until(path.exists, 60)
        endpoints = json.loads(path.read_text())
        pids = endpoints["pids"]
        assert pids.keys() == {"sandbox", "storage", "functions"}
        settings = json.loads((tmp_path / "local.settings.json").read_text())["Values"]
        assert settings["COLOUR"] == "red"
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"export KUBECONFIG={tmp_path / 'one.kubeconfig'}" in said
    assert not path.exists()
    until(lambda: not any(alive(pid) for pid in pids.values()))


@pytest.mark.parametrize(
    ("part", "told"), [("functions", "The functions host"), ("storage", "The storage (Azurite)")]
)
def test_a_part_that_is_killed_ends_the_sandbox_with_a_word(
    app: Path, tmp_path: Path, part: str, told: str
) -> None:
    """Nobody is left in front of half a sandbox that says nothing."""
    words = ["up", "--state", str(tmp_path), "--clusters", "one", "--app", str(app)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids: dict[str, int] = {}
    try:
        until((tmp_path / "endpoints.json").exists, 60)
        pids = json.loads((tmp_path / "endpoints.json").read_text())["pids"]
        os.kill(pids[part], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    (line,) = (line for line in said.splitlines() if "SIGKILL" in line)
    assert line.startswith(f"{told} was killed by SIGKILL")
    assert "start the sandbox again" in line
    assert not (tmp_path / "endpoints.json").exists()
    until(lambda: not any(alive(pid) for pid in pids.values()))


@pytest.mark.parametrize(
    ("code", "how"), [(3, "ended with exit code 3"), (-15, "killed by SIGTERM"), (-40, "signal 40")]
)
def test_how_a_part_ended_is_told_in_words(code: int, how: str, tmp_path: Path) -> None:
    """An exit code and a signal are different things to look for."""
    assert how in farewell("functions", code, tmp_path)
    assert str(tmp_path / "functions.log") in farewell("functions", code, tmp_path)


def test_the_banner_s_lines_run_as_they_stand(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a fresh shell, from any folder, without the environment of the repository."""
    lines = welcome(sandbox.endpoints, sandbox.state).split("another terminal:\n")[1].splitlines()
    script = "\n".join(line for line in lines if not line.startswith(("Ctrl-C", "kubectl get", "curl")))
    # Stands for kubectl: its lines are the business of the cluster's own tests.
    (tmp_path / "kubectl").write_text('#!/bin/sh\ntest -s "$KUBECONFIG" && cat\n')
    (tmp_path / "kubectl").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-e"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "prod: " in done.stdout, done.stderr


def test_sigterm_in_the_middle_of_the_start_ends_it_in_order(tmp_path: Path) -> None:
    """What is half started is not left to itself, and nobody is told of endpoints."""
    words = ["up", "--state", str(tmp_path), "--clusters", "one", "--no-functions"]
    process = subprocess.Popen([sys.executable, "-m", "sandbox", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until((tmp_path / "ca.pem").exists, 60)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not (tmp_path / "endpoints.json").exists()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_request_that_hangs_ends_with_the_sandbox(caplog: pytest.LogCaptureFixture) -> None:
    """Its client is gone: no server waits for it, and the loop would complain of it long after."""
    with Sandbox.start(SandboxOptions(clusters=("prod",), storage=False)) as sandbox:
        sandbox.cluster_backdoor("prod", "POST", "faults", {"path": "configmaps", "mode": "hang"})
        address = urlsplit(sandbox.endpoints["clusters"]["prod"]["server"])
        tls = ssl.create_default_context(cafile=sandbox.endpoints["arm"]["ca"])
        client = http.client.HTTPSConnection(address.netloc, context=tls)
        client.request("GET", "/api/v1/configmaps")
        until(lambda: not sandbox.cluster_backdoor("prod", "GET", "faults").body["value"])
        client.close()
    gc.collect()
    assert not [record for record in caplog.records if "destroyed" in record.getMessage()]


def test_an_app_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """The reason is told; the storage and servers that were already there end."""
    with pytest.raises(FunctionsUnavailable, match="function_app"):
        Sandbox.start(SandboxOptions(state=tmp_path / "state", clusters=("one",), app=tmp_path))
    assert not (tmp_path / "state/endpoints.json").exists()


def test_a_cluster_that_somebody_brings_is_served_too(tmp_path: Path) -> None:
    """Its kubeconfig is all it takes: here that of another sandbox, which has no cloud provider."""
    theirs = SandboxOptions(clusters=("theirs",), cloud_provider=False, storage=False)
    with Sandbox.start(theirs) as outer:
        brought = {"prod": outer.kubeconfig("theirs")}
        ours = SandboxOptions(state=tmp_path, clusters=("dev",), kubeconfigs=brought, storage=False)
        with Sandbox.start(ours) as inner:
            World(inner).apply("app")
            assert World(inner).ready("app").startswith("10.224.")


@pytest.mark.parametrize(
    ("user", "reason"), [({}, "neither a token"), ({"exec": {"command": "login"}}, "neither a token")]
)
def test_a_kubeconfig_without_credentials_is_refused(
    tmp_path: Path, user: dict[str, Any], reason: str
) -> None:
    """Log-in programs of cloud vendors are not run."""
    entry = {"server": "https://localhost:1", "certificate-authority-data": "eA=="}
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": entry}],
        "users": [{"name": "u", "user": user}],
    }
    (tmp_path / "config").write_text(json.dumps(document))
    with pytest.raises(KubeconfigError, match=reason):
        Sandbox.start(SandboxOptions(clusters=(), kubeconfigs={"k": tmp_path / "config"}, storage=False))


@pytest.mark.parametrize("words", [["--clusters", "a,a"], ["--clusters", ","], ["--setting", "X"]])
def test_a_wrong_command_line_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit):
        main(["up", *words])
    assert "wanted:" in capsys.readouterr().err
