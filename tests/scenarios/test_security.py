"""Who may call, and what is told: keys of the functions, secrets in logs and errors, over HTTP and at every log level."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from reconciler import ingest, settings, wiring
from reconciler.errors import OutsideError, SettingsError
from sandbox.storage import ACCOUNT, ACCOUNT_KEY
from sandbox.up import Sandbox, SandboxOptions
from tests.scenarios import conftest, hosts
from tests.scenarios.conftest import Start
from tests.scenarios.leaks import in_logs, leaks, secrets_of
from tests.scenarios.world import World

Json = dict[str, Any]
GUARDED = {
    "resync": "POST",
    "release": "POST",
    "pause": "POST",
    "resume": "POST",
    "plan": "GET",
    "status": "GET",
    "history": "GET",
}
WEBHOOK = "/runtime/webhooks/eventgrid?functionName=on_event_grid"
CLAIM = "a.person@example.com"


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """A cluster with a Private Link Service, so that there is something to tell."""
    world = start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, timers=False))
    world.make("prod", "app", pls_fqdns="x.example")
    world.address("prod", "app")
    world.resync("prod")
    world.ready(world.pls_id("MC_prod", "pls-app"))
    return world


def status_of(
    world: World, method: str, path: str, key: str = "", body: bytes = b"", /, **headers: str
) -> int:
    """The status of a call with this key in the header, or none."""
    given = {"x-functions-key": key, **headers} if key else headers
    url = world.sandbox.endpoints["functions"]["url"] + path
    request = urllib.request.Request(url, body or None, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def keys(world: World) -> Json:
    """The keys of the functions host."""
    found: Json = world.sandbox.endpoints["functions"]["keys"]
    return found


@pytest.mark.parametrize("name", GUARDED)
def test_a_function_demands_its_key(world: World, name: str) -> None:
    """None, a wrong one, another function's, Event Grid's, a cut or padded one: 401, in header and query alike."""
    known, path, method = keys(world), f"/api/{name}", GUARDED[name]
    own = known["functions"][name]["default"]
    others = [key["default"] for other, key in known["functions"].items() if other != name]
    wrong = ["", "x", own[:-1], f"{own}x", own.swapcase(), *others, *known["systemKeys"].values()]
    for key in wrong:
        assert status_of(world, method, path, key) == 401
        assert status_of(world, method, f"{path}?code={key}") == 401
    # Its own key opens it: what is missing then are parameters, nothing else.
    for key in (own, known["functionKeys"]["default"], known["masterKey"]):
        assert status_of(world, method, f"{path}?cluster=nobody", key) == 404
        assert status_of(world, method, f"{path}?cluster=nobody&code={key}") == 404


@pytest.mark.parametrize("name", GUARDED)
def test_what_changes_something_is_no_get_and_nothing_is_overridden(world: World, name: str) -> None:
    """A link, an image or a method in a header starts nothing."""
    own = keys(world)["functions"][name]["default"]
    other = {"GET": "POST", "POST": "GET"}[GUARDED[name]]
    header = {"X-HTTP-Method-Override": GUARDED[name]}
    for method in (other, "PUT", "DELETE", "OPTIONS"):
        assert status_of(world, method, f"/api/{name}", own, b"", **header) == 404


def test_only_health_is_for_everybody_and_tells_nothing(world: World) -> None:
    """Neither names nor addresses nor what fails."""
    assert status_of(world, "GET", "/api/health") == 200
    assert world.sandbox.function("GET", "/api/health").body == {"status": "ok"}


def test_the_webhook_and_the_admin_endpoints_have_keys_of_their_own(world: World) -> None:
    """An event from anybody would wake clusters; a function's key opens no other door."""
    known = keys(world)
    for key in ("", "x", known["functionKeys"]["default"], known["functions"]["on_event_grid"]["default"]):
        assert status_of(world, "POST", WEBHOOK, key, b"[]", **{"aeg-event-type": "Notification"}) == 401
        assert status_of(world, "GET", "/admin/functions", key) == 401
        assert status_of(world, "POST", "/admin/functions/on_timer", key, b'{"input": ""}') == 401


def test_an_error_does_not_repeat_the_key(world: World) -> None:
    """The key may stand in the query; an unknown parameter is quoted."""
    key = keys(world)["functionKeys"]["default"]
    url = world.sandbox.endpoints["functions"]["url"]
    for path in ("resync", "plan", "status", "history"):
        request = f"{url}/api/{path}?code={key}&clientId=me&nonsense=1"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(request, method=GUARDED[path]), timeout=20)
        with caught.value as error:
            told = json.loads(error.read())["error"]["message"]
        assert "nonsense" in told
        assert "code" not in told
        assert key not in told


def event(world: World, **changes: Any) -> Json:
    """The cluster's load balancer was written, by a person with claims."""
    data = {"claims": {"name": CLAIM}, "authorization": {"evidence": {"role": "Owner"}}}
    return {**hosts.event(hosts.load_balancer(world, "prod")), "data": data, **changes}


def test_claims_of_an_event_stay_in_it(world: World) -> None:
    """Whole or broken, from the queue, from its poison queue and over the webhook."""
    broken: tuple[Json, ...] = (
        {},
        {"subject": None},
        {"eventTime": CLAIM},
        {"eventType": {"claims": CLAIM}},
        {CLAIM: CLAIM},
    )
    queues = ("lb-events", "lb-events-poison", "reconcile-poison", "reconcile")
    for changes in broken:
        for queue in queues:
            world.send_event(json.dumps(event(world, **changes)), queue)
    hook = {"aeg-event-type": "Notification"}
    body = json.dumps([event(world)]).encode()
    assert status_of(world, "POST", WEBHOOK, keys(world)["masterKey"], body, **hook) == 202
    world.wait("all are told", lambda: len(poison(world)) >= 3 * len(broken), lambda: world.history())
    world.wait("all were served", lambda: not any(map(world.waiting_messages, queues[:3])))
    told = json.dumps(world.history()) + json.dumps(world.status("prod"))
    assert "SHA-256" in told
    assert CLAIM not in told + (world.sandbox.state / "functions.log").read_text()


def poison(world: World) -> list[Json]:
    """The poison messages that history tells of."""
    return [entry for entry in world.history() if entry["kind"] == "poison"]


# Logs


PLANTED = {
    "a bearer token": "sending Authorization: Bearer abcdefgh12345",
    "a JSON web token": "token eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2ln",
    "a storage signature": "'Authorization': 'SharedKey devstoreaccount1:c2ln='",
    "an account key": f"AccountName=x;AccountKey={ACCOUNT_KEY};",
    "a shared access signature": "GET /c/b?sv=2026&sig=c2ln HTTP/1.1",
    "a function key in an address": "GET /api/status?code=abcdefgh12345",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "claims of an event": '{"data": {"claims": {"name": "x"}}}',
}


@pytest.mark.parametrize("what", PLANTED)
def test_the_look_for_secrets_finds_each_kind(what: str, tmp_path: Path) -> None:
    """Else it would be green for ever."""
    log = tmp_path / "functions.planted"
    log.write_text(f"all is well\n{PLANTED[what]}\nall is well\n")
    found = leaks(log.read_text())
    assert [line.partition(":")[0] for line in found] == [what]


def test_the_look_for_secrets_knows_those_of_the_sandbox(world: World) -> None:
    """Keys, tokens, the identity's header: each by itself, in the middle of a line."""
    secrets = secrets_of(world.sandbox.endpoints)
    assert len(secrets) > 10
    for secret in secrets:
        assert leaks(f"x{secret}x", secrets)


def test_a_secret_in_a_hosts_log_fails_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fixture does it when a module ends."""

    class Started:
        state = tmp_path / "state"
        endpoints: Json = {"clusters": {}, "arm": {"subscription": "s", "identityHeader": "a-secret-header"}}
        stopped = False

        def stop(self) -> None:
            self.stopped = True

    started = Started()
    started.state.mkdir()
    monkeypatch.setattr(Sandbox, "start", lambda options: started)
    generator = conftest.start.__wrapped__()  # type: ignore[attr-defined]
    next(generator)(SandboxOptions())
    (started.state / "functions.log").write_text("the header is a-secret-header\n")
    with pytest.raises(AssertionError, match=r"functions\.log: a secret of the sandbox"):
        next(generator)
    assert started.stopped
    (started.state / "functions.log").unlink()


def signed(world: World) -> tuple[str, str]:
    """A connection string with a shared access signature, and a blob's address with another."""
    storage = str(world.sandbox.endpoints["storage"]["connectionString"])
    parts = dict(part.partition("=")[::2] for part in storage.split(";") if part)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    sas = account_signature(until)
    text = "".join(
        f"{name}={parts[name]};" for name in parts if name.endswith("Endpoint") and "Protocol" not in name
    )
    blobs = BlobServiceClient.from_connection_string(storage)
    blob = blobs.create_container("security").upload_blob(
        "clusters.yaml", Path(world.sandbox.settings["CLUSTERS"]).read_bytes()
    )
    reading = generate_blob_sas(
        ACCOUNT,
        "security",
        "clusters.yaml",
        account_key=ACCOUNT_KEY,
        permission=BlobSasPermissions(read=True),
        expiry=until,
    )
    return f"{text}SharedAccessSignature={sas}", f"{blob.url}?{reading}"


def account_signature(until: dt.datetime) -> str:
    """Of everything in all three services; the SDKs' own makers leave tables out."""
    fields = {
        "sv": "2019-12-12",
        "ss": "bqt",
        "srt": "sco",
        "sp": "rwdlacup",
        "se": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    lines = [ACCOUNT, fields["sp"], fields["ss"], fields["srt"], "", fields["se"], "", "", fields["sv"], ""]
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), "\n".join(lines).encode(), "sha256").digest()
    return urllib.parse.urlencode({**fields, "sig": base64.b64encode(digest).decode()})


def work(environment: dict[str, str]) -> None:
    """Everything that speaks to the outside, once."""
    app = wiring.app(settings.load(environment))
    steps: tuple[Callable[[], object], ...] = (
        lambda: app.api.health(),
        lambda: app.api.plan({}),
        lambda: app.api.resync({"cluster": "prod", "wait": "true"}),
        lambda: app.api.status({}),
        lambda: app.api.history({}),
        lambda: ingest.on_timer(app.worker),
        lambda: ingest.on_poison(app.worker, b"\xff", "reconcile-poison"),
    )
    for step in steps:
        step()


def test_nothing_secret_is_logged_at_any_level(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """DEBUG of everything, SDKs and HTTP libraries too: by account key, by signature, by tokens."""
    for name, value in world.sandbox.settings.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "urllib3", "kubernetes", "msal", "reconciler"):
        caplog.set_level(logging.DEBUG, name)
    given = world.sandbox.settings
    work(given)
    storage, blob = signed(world)
    by_signature = {**given, "AzureWebJobsStorage": storage, "CLUSTERS_BLOB": blob}
    del by_signature["CLUSTERS"]
    work(by_signature)
    names = {record.name.partition(".")[0] for record in caplog.records}
    assert {"azure", "urllib3"} <= names
    assert leaks(caplog.text, secrets_of(world.sandbox.endpoints)) == []


WRONG: dict[str, dict[str, str]] = {
    "a wrong account key": {"AzureWebJobsStorage": "AccountKey=c2VjcmV0LWtleS1vZi1zdG9yYWdl"},
    "a connection string that is none": {"AzureWebJobsStorage": "AccountKy=c2VjcmV0LWtleS1vZi1zdG9yYWdl"},
    "a blob that is not there": {
        "CLUSTERS_BLOB": "http://127.0.0.1:1/c/x?sv=1&sig=c2VjcmV0LWtleS1vZi1zdG9yYWdl"
    },
    "no blob's address": {"CLUSTERS_BLOB": "config?sig=c2VjcmV0LWtleS1vZi1zdG9yYWdl"},
    "a kubeconfig that is none": {
        "CLUSTERS": '[{"name": "c", "api": {"type": "kubeconfig", "content": 5, "token": "c2VjcmV0LWtleS1vZi1zdG9yYWdl"}}]'
    },
    "an identity that is refused": {"IDENTITY_HEADER": "c2VjcmV0LWtleS1vZi1zdG9yYWdl"},
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_tells_no_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """Neither what the functions answer nor what they log nor what the command line prints."""
    caplog.set_level(logging.DEBUG)
    environment = dict(world.sandbox.settings)
    for name, value in WRONG[what].items():
        if value.startswith("AccountK"):
            key = value.partition("=")[0]
            environment[name] = environment[name].replace(
                f"AccountKey={ACCOUNT_KEY}", f"{key}={value.partition('=')[2]}"
            )
        else:
            environment[name] = value
    if "CLUSTERS_BLOB" in WRONG[what]:
        del environment["CLUSTERS"]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = ""
    try:
        work(environment)
    except (OutsideError, SettingsError) as error:
        told = str(error)
    done = world.reconciler("status", **WRONG[what]) if what.startswith("a kubeconfig") else None
    said = (done.stdout + done.stderr) if done else ""
    for text in (told, caplog.text, said):
        assert "c2VjcmV0" not in text
        assert leaks(text, secrets_of(world.sandbox.endpoints)) == []


def test_the_command_line_prints_no_secret(world: World) -> None:
    """A run as JSON, and a kubeconfig in the place of the clusters."""
    calls = (
        ("apply", "--cluster", "prod", "--output", "json"),
        ("plan", "--config", str(world.sandbox.kubeconfig("prod"))),
    )
    for words in calls:
        done = world.reconciler(*words)
        assert leaks(done.stdout + done.stderr, secrets_of(world.sandbox.endpoints)) == [], words


def test_the_log_of_this_very_sandbox_is_looked_at(world: World) -> None:
    """There is one, it tells what happened, and it is clean."""
    log = world.sandbox.state / "functions.log"
    assert "Executed 'Functions.on_reconcile'" in log.read_text()
    assert in_logs(world.sandbox.state, [world.sandbox.endpoints]) == []
