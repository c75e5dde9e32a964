"""An app with every trigger that the functions host knows; what it saw is told at GET /api/seen/{what}."""

import asyncio
import json
import threading
import time
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
seen: dict[str, list[Any]] = {}
STARTED = time.time()


def note(what: str, value: Any) -> None:
    """Remember something for the test to ask for."""
    seen.setdefault(what, []).append(value)


@app.function_name("on_work")
@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def on_work(msg: func.QueueMessage, context: func.Context) -> None:
    """Does what the message says: `fail`, `fail once`, `slow`, or nothing."""
    text = msg.get_body().decode()
    note("work", {"text": text, "id": msg.id, "tries": msg.dequeue_count, "function": context.function_name})
    if text == "fail" or (text == "fail once" and msg.dequeue_count == 1):
        raise RuntimeError(f"no luck with {text!r}")
    if text.startswith("slow"):
        await asyncio.sleep(float(text.split()[1]))
        note("done", text)


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%-poison", connection="AzureWebJobsStorage")
async def on_poison(msg: func.QueueMessage) -> None:
    """Sees what failed too often."""
    note("poison", msg.get_body().decode())


@app.timer_trigger(arg_name="timer", schedule="%TICK%", use_monitor=False)
async def on_tick(timer: func.TimerRequest) -> None:
    """Ticks."""
    note("tick", {"at": time.time(), "past_due": timer.past_due})


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
async def on_start(timer: func.TimerRequest) -> None:
    """Ticks once, at start."""
    note("start", timer.past_due)


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    """Sees events of either schema."""
    if event.subject == "fail":
        raise RuntimeError("no luck with an event")
    note("event", {"id": event.id, "subject": event.subject, "kind": type(event).__name__})


@app.route(route="seen/{what}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    """What was seen so far."""
    body = json.dumps(seen.get(req.route_params["what"], []))
    return func.HttpResponse(body, mimetype="application/json")


@app.route(route="echo/{name?}", methods=["POST", "PUT"], auth_level=func.AuthLevel.ANONYMOUS)
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """The request, told back."""
    told = {
        "method": req.method,
        "url": req.url,
        "name": req.route_params.get("name"),
        "query": dict(req.params),
        "header": req.headers.get("x-test"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(
        json.dumps(told), status_code=202, mimetype="application/json", headers={"Location": "/elsewhere"}
    )


@app.route(route="guarded")
async def guarded(req: func.HttpRequest) -> str:
    """Needs a function key."""
    return "in"


@app.route(route="admin-only", auth_level=func.AuthLevel.ADMIN)
async def admin_only(req: func.HttpRequest) -> str:
    """Needs the master key."""
    return "in"


@app.route(route="boom", auth_level=func.AuthLevel.ANONYMOUS)
async def boom(req: func.HttpRequest) -> func.HttpResponse:
    """Raises."""
    raise ValueError("boom")


@app.route(route="wait/{seconds:int}", auth_level=func.AuthLevel.ANONYMOUS)
async def wait(req: func.HttpRequest) -> func.HttpResponse:
    """Sleeps: longer than functionTimeout, or while another request is answered."""
    await asyncio.sleep(int(req.route_params["seconds"]))
    return func.HttpResponse("waited")


@app.route(route="thread", auth_level=func.AuthLevel.ANONYMOUS)
def thread(req: func.HttpRequest) -> str:
    """A sync function: on a thread of its own."""
    return threading.current_thread().name


@app.route(route="send", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def send(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    """Sends its body to the queue through an output binding."""
    out.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)
