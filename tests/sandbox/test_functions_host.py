"""The functions host as a process, with the sample app on a real Azurite: every trigger, every key."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from sandbox.functions.process import FunctionsUnavailable, RunningFunctions, start_functions
from sandbox.storage import Storage

pytestmark = pytest.mark.azurite

APP = Path(__file__).parent / "sample_app"
WEBHOOK = "/runtime/webhooks/eventgrid?functionName="
CLOUD_EVENT = {"specversion": "1.0", "source": "/s", "type": "t", "time": "2026-11-21T07:00:00Z", "data": {}}
EVENT = {
    "topic": "/s",
    "eventType": "t",
    "eventTime": "2026-11-21T07:00:00Z",
    "data": {},
    "dataVersion": "1",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    text: str
    headers: Message

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Client:
    """A running host, its keys and its queue."""

    running: RunningFunctions
    queue: QueueClient

    def __call__(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        request = urllib.request.Request(
            self.running.url + path, method=method, data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), error.headers)

    @property
    def keys(self) -> Any:
        """As written by the host."""
        return json.loads(self.running.keys.read_text())

    def seen(self, what: str) -> list[Any]:
        """What the app noted."""
        noted: list[Any] = self("GET", f"/api/seen/{what}").json()
        return noted

    def send(self, text: str) -> None:
        """Put a message into the app's queue, as Event Grid does: base64."""
        self.queue.send_message(base64.b64encode(text.encode()).decode())

    def runs(self, text: str) -> list[Any]:
        """The invocations that got this message."""
        return [one for one in self.seen("work") if one["text"] == text]


def _until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _start(storage: Storage, folder: Path, queue: str, *options: str) -> Client:
    settings = {"AzureWebJobsStorage": storage.connection_string, "WORK_QUEUE": queue, "TICK": "* * * * * *"}
    client = QueueClient.from_connection_string(storage.connection_string, queue)
    client.create_queue()
    running = start_functions(APP, {**os.environ, **settings}, folder / "keys.json", folder / "log", options)
    return Client(running, client)


@pytest.fixture(scope="module")
def host(azurite: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The sample app, served. Its queue's lock is 2 s instead of 10 minutes."""
    folder = tmp_path_factory.mktemp("host")
    client = _start(azurite, folder, f"work-{os.getpid()}", "--lock-seconds", "2")
    with client.running:
        yield client


def test_an_http_function_gets_the_request_and_gives_the_answer(host: Client) -> None:
    """Route parameters, query, headers and body go in; status, headers and body come out."""
    answer = host("POST", "/api/echo/a%20b?x=1&y=%C3%BC", b"hello", {"X-Test": "yes"})
    assert (answer.status, answer.headers["Location"]) == (202, "/elsewhere")
    assert answer.headers.get_content_type() == "application/json"
    told = answer.json()
    assert told["url"].startswith(host.running.url)
    del told["url"]
    assert told == {
        "method": "POST",
        "name": "a b",
        "query": {"x": "1", "y": "ü"},
        "header": "yes",
        "body": "hello",
    }


def test_an_optional_route_parameter_may_be_missing(host: Client) -> None:
    """`echo/{name?}` answers at /api/echo too, with or without a slash, whatever the case."""
    assert host("PUT", "/api/Echo", b"").json()["name"] is None
    assert host("PUT", "/api/echo/", b"").status == 202


def test_a_foreign_method_or_path_is_not_found(host: Client) -> None:
    """The platform answers 404 for both."""
    assert host("GET", "/api/echo").status == 404
    assert host("GET", "/api/nowhere").status == 404
    assert host("POST", "/echo", b"").status == 404


@pytest.mark.parametrize("header", [True, False])
def test_a_function_key_opens_its_function(host: Client, header: bool) -> None:
    """Function, host and master key do, in the header or the query; another function's key does not."""
    keys = host.keys

    def status(path: str, key: str) -> int:
        if header:
            return host("GET", path, headers={"x-functions-key": key}).status
        return host("GET", f"{path}?code={key}").status

    own, other = (keys["functions"][name]["default"] for name in ("guarded", "boom"))
    default, master = keys["functionKeys"]["default"], keys["masterKey"]
    assert [status("/api/guarded", key) for key in (own, default, master)] == [200] * 3
    assert [status("/api/guarded", key) for key in (other, "", "wrong")] == [401] * 3
    assert [status("/api/admin-only", key) for key in (own, default, master)] == [401, 401, 200]


def test_an_exception_is_500_and_its_traceback_is_logged(host: Client) -> None:
    """The caller learns nothing of the inside; the log tells where."""
    answer = host("GET", "/api/boom")
    assert (answer.status, answer.text) == (500, "")
    log = host.running.log.read_text()
    assert "'Functions.boom'" in log
    assert "ValueError: boom" in log


def test_requests_and_messages_run_at_the_same_time(host: Client) -> None:
    """A waiting function holds up nobody: another request is answered before its message is done."""
    host.send("slow 2.5")
    assert _until(lambda: host.runs("slow 2.5"))
    assert "slow 2.5" not in host.seen("done")


def test_a_sync_function_runs_on_a_thread(host: Client) -> None:
    """As in the platform's worker: it must not block the loop."""
    assert host("GET", "/api/thread").text != "MainThread"


def test_a_message_reaches_its_function_once(host: Client) -> None:
    """Decoded from base64, with id, dequeue count and context; then it is deleted."""
    host.send("hällo")
    (run,) = _until(lambda: host.runs("hällo"))
    assert (run["tries"], run["function"], bool(run["id"])) == (1, "on_work", True)
    assert _until(lambda: _gone(host, run["id"]))


def _gone(host: Client, identifier: str) -> bool:
    """Whether no message of this id is visible; a failed one would come back after a second."""
    return all(message.id != identifier for message in host.queue.peek_messages(32))


def test_a_message_that_always_fails_goes_to_the_poison_queue(host: Client) -> None:
    """After maxDequeueCount tries (2), never more; its content is kept, and its function sees it."""
    host.send("fail")
    assert _until(lambda: "fail" in host.seen("poison"))
    assert [run["tries"] for run in host.runs("fail")] == [1, 2]


def test_a_message_that_is_not_base64_is_poison_at_once(host: Client) -> None:
    """It reaches no function, and does not break the batch it came in."""
    sent = host.queue.send_message("{not base64}")
    host.send("after it")
    assert _until(lambda: host.runs("after it"))
    moved = f"message {sent.id} of {host.queue.queue_name} goes to {host.queue.queue_name}-poison"
    assert _until(lambda: moved in host.running.log.read_text())
    assert _until(lambda: _gone(host, sent.id))
    assert sent.id not in [run["id"] for run in host.seen("work")]


def test_the_lock_of_a_message_is_renewed_while_its_function_runs(host: Client) -> None:
    """It runs longer than its lock (2 s), and still only once."""
    host.send("slow 2.8")
    assert _until(lambda: "slow 2.8" in host.seen("done"))
    assert len(host.runs("slow 2.8")) == 1


def test_a_function_that_runs_too_long_is_ended(host: Client) -> None:
    """functionTimeout of host.json (4 s) counts as a failure."""
    assert host("GET", "/api/wait/15").status == 500


def test_an_output_binding_sends_a_message(host: Client) -> None:
    """What the function set on its `Out` arrives at the queue's trigger."""
    assert host("POST", "/api/send", b"through the output").status == 202
    assert _until(lambda: host.runs("through the output"))


def test_a_timer_fires_on_its_schedule(host: Client) -> None:
    """At most once per second, not past due; and once at start where the function says so."""
    ticks = _until(lambda: len(host.seen("tick")) >= 2 and host.seen("tick"))
    assert len({int(tick["at"]) for tick in ticks}) == len(ticks)
    assert not any(tick["past_due"] for tick in ticks)
    assert host.seen("start") == [False]


def test_event_grid_delivers_either_schema(host: Client) -> None:
    """A list of events, or one CloudEvent: one invocation each."""
    url = f"{WEBHOOK}on_event&code={host.keys['systemKeys']['eventgrid_extension']}"
    notification = {"aeg-event-type": "Notification"}
    events = [{**EVENT, "id": name, "subject": "fine"} for name in ("a", "b")]
    assert host("POST", url, json.dumps(events).encode(), notification).status == 202
    cloud = {**CLOUD_EVENT, "id": "c", "subject": "fine"}
    assert host("POST", url, json.dumps(cloud).encode(), notification).status == 202
    kinds = {event["id"]: event["kind"] for event in host.seen("event") if event["subject"] == "fine"}
    assert kinds == {"a": "EventGridEvent", "b": "EventGridEvent", "c": "CloudEvent"}


def test_event_grid_learns_of_a_failure(host: Client) -> None:
    """500 makes Event Grid retry; without the key, or for another function, nothing runs."""
    url = f"{WEBHOOK}on_event&code={host.keys['systemKeys']['eventgrid_extension']}"
    notification = {"aeg-event-type": "Notification"}
    body = json.dumps([{**EVENT, "id": "d", "subject": "fail"}]).encode()
    assert host("POST", url, body, notification).status == 500
    assert host("POST", url, b"garbage", notification).status == 400
    assert host("POST", f"{WEBHOOK}on_event&code=wrong", body, notification).status == 401
    assert host("POST", url.replace("on_event", "tell"), body, notification).status == 404


def test_event_grid_shakes_hands(host: Client) -> None:
    """Both schemas' validation of an endpoint."""
    url = f"{WEBHOOK}on_event&code={host.keys['systemKeys']['eventgrid_extension']}"
    body = json.dumps([{**EVENT, "id": "v", "subject": "", "data": {"validationCode": "42"}}]).encode()
    answer = host("POST", url, body, {"aeg-event-type": "SubscriptionValidation"})
    assert (answer.status, answer.json()) == (200, {"validationResponse": "42"})
    answer = host("OPTIONS", url, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert (answer.status, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")


def test_a_function_is_fired_by_hand_with_the_master_key(host: Client) -> None:
    """POST /admin/functions/NAME: 202; other keys open nothing; the list tells how often it ran."""
    master = {"x-functions-key": host.keys["masterKey"]}
    body = json.dumps({"input": "by hand"}).encode()
    assert host("POST", "/admin/functions/on_work", body).status == 401
    assert host("POST", "/admin/functions/on_work", body, master).status == 202
    assert _until(lambda: host.runs("by hand"))
    event = {"input": {**CLOUD_EVENT, "id": "e", "subject": "by hand"}}
    assert host("POST", "/admin/functions/on_event", json.dumps(event).encode(), master).status == 202
    assert _until(lambda: "by hand" in [one["subject"] for one in host.seen("event")])
    assert host("POST", "/admin/functions/nobody", body, master).status == 404
    assert host("POST", "/admin/functions/on_work", b"no JSON", master).status == 400
    listed = {one["name"]: one for one in host("GET", "/admin/functions", headers=master).json()}
    assert listed["on_work"]["succeeded"] >= 1
    assert listed["on_event"]["trigger"] == "event grid"


def test_sigterm_lets_running_functions_finish(azurite: Storage, tmp_path: Path) -> None:
    """The message in work is done and deleted, and the exit code is 0."""
    host = _start(azurite, tmp_path, "work-sigterm")
    with host.running:
        host.send("slow 1")
        assert _until(lambda: host.runs("slow 1"))
        host.running.process.terminate()
        assert host.running.process.wait(20) == 0
    assert host.queue.get_queue_properties().approximate_message_count == 0
    assert "Functions.on_work" in host.running.log.read_text()


def test_a_failure_brings_a_message_back_after_the_visibility_timeout(
    azurite: Storage, tmp_path: Path
) -> None:
    """visibilityTimeout of host.json is the pause between tries, not the lock of ten minutes."""
    host = _start(azurite, tmp_path, "work-failure")
    with host.running:
        host.send("fail once")
        runs = _until(lambda: len(host.runs("fail once")) == 2 and host.runs("fail once"))
        assert [run["tries"] for run in runs] == [1, 2]


def test_the_end_of_its_parent_ends_it(azurite: Storage, tmp_path: Path) -> None:
    """A parent that was killed says nothing; the other end of its pipe is closed, though."""
    host = _start(azurite, tmp_path, "work-orphan")
    with host.running:
        assert host.running.process.stdin is not None
        host.running.process.stdin.close()
        assert host.running.process.wait(20) == 0


def test_a_message_that_killed_its_hosts_goes_to_poison_without_running(
    azurite: Storage, tmp_path: Path
) -> None:
    """Its dequeue count exceeds the limit already, as after crashes; this host reads a settings file."""
    queue = QueueClient.from_connection_string(azurite.connection_string, "work-crashed")
    queue.create_queue()
    queue.send_message(base64.b64encode(b"crash").decode())
    for _ in range(2):
        queue.update_message(queue.receive_message(), visibility_timeout=0)  # type: ignore[arg-type]
    values = {"AzureWebJobsStorage": azurite.connection_string, "WORK_QUEUE": "work-crashed", "TICK": "1:0:0"}
    settings = tmp_path / "local.settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    options = ["--settings", str(settings), "--no-timers"]
    with start_functions(APP, os.environ, tmp_path / "keys.json", tmp_path / "log", options) as running:
        host = Client(running, queue)
        assert _until(lambda: "crash" in host.seen("poison"))
        assert host.seen("work") == []
        assert host.seen("start") == []  # a timer


BAD = {
    "no file": (None, "there is no function_app.py"),
    "raises": ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
    "syntax": ("def broken(:", "SyntaxError"),
    "no app": ("x = 1", "exactly one FunctionApp, it has 0"),
    "twice": (
        "@app.route('a')\ndef f(req: func.HttpRequest) -> str: ...\n"
        "@app.function_name('f')\n@app.route('b')\ndef g(req: func.HttpRequest) -> str: ...",
        "unique function name",
    ),
    "parameter": ("@app.route('a')\ndef f(req, extra=1): ...", "its parameters"),
    "annotation": (
        "@app.timer_trigger('t', schedule='0 0 0 * * *')\ndef f(t: dict): ...",
        "a timerTrigger cannot give its parameter",
    ),
    "setting": (
        "@app.queue_trigger('m', '%NOWHERE%', 'AzureWebJobsStorage')\ndef f(m: str): ...",
        "'%NOWHERE%' does not resolve",
    ),
    "connection": (
        "@app.queue_trigger('m', 'queue', 'Elsewhere')\ndef f(m: str): ...\n"
        "@app.timer_trigger('t', schedule='99 0 0 * * *')\ndef g(t): ...",
        "the setting 'Elsewhere', a storage connection, is missing\nfunction 'g': '99",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_app_is_explained(case: str, azurite: Storage, tmp_path: Path) -> None:
    """The host ends with the mistake and its function, not with a stack of its own."""
    code, expected = BAD[case]
    if code:
        head = "import azure.functions as func\napp = func.FunctionApp()\n" if "@" in code else ""
        (tmp_path / "function_app.py").write_text(head + code)
    environment = {**os.environ, "AzureWebJobsStorage": azurite.connection_string}
    with pytest.raises(FunctionsUnavailable) as failure:
        start_functions(tmp_path, environment, tmp_path / "keys.json", tmp_path / "log")
    assert expected in str(failure.value)
    assert "sandbox/functions" not in str(failure.value)
