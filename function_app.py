"""The triggers: parse, call, map the result. What they lead to is in :mod:`reconciler`.

Handlers are ``async def`` and run the engine on threads: the platform keeps its trace context that way,
and the event loop of the worker stays free.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import azure.functions as func

from reconciler import api, context, ingest, logs, settings, wiring
from reconciler.dashboard import answers
from reconciler.events import Event, in_utc

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
logs.set_up()
wired = wiring.Lazy(lambda: wiring.app(settings.load(os.environ)))
wiring.report_mistakes(os.environ)

T = TypeVar("T")
# Python's own threads are five on one core: as many runs as the queue hands out at once (host.json) would take them
# all, and a pause, a request for health and the timers would wait for the end of one.
THREADS = context.Threads(64, thread_name_prefix="function")
STORAGE = "AzureWebJobsStorage"
# Read at indexing: a %SETTING% in a binding would have no default.
LB_EVENTS = settings.trigger_setting("LB_EVENTS_QUEUE", os.environ)
RECONCILE = settings.trigger_setting("RECONCILE_QUEUE", os.environ)
RESYNC_SCHEDULE = settings.trigger_setting("RESYNC_SCHEDULE", os.environ)
PROBE_SCHEDULE = settings.trigger_setting("PROBE_SCHEDULE", os.environ)
# Where the platform signs people in, it must let them through without a key; the function looks for its ticket.
SIGNED_IN = answers.is_signed_in_by_platform(os.environ)
DATA_LEVEL = func.AuthLevel.ANONYMOUS if SIGNED_IN else func.AuthLevel.FUNCTION


async def _on_a_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(THREADS, work)


@app.function_name("on_event_queue")
@app.queue_trigger(arg_name="message", queue_name=LB_EVENTS, connection=STORAGE)
async def on_event_queue(message: func.QueueMessage) -> None:
    """Events that Event Grid put into the storage queue."""
    await _on_a_thread(lambda: ingest.on_events(wired().worker, message.get_body()))


@app.function_name("on_event_grid")
@app.event_grid_trigger(arg_name="event")
async def on_event_grid(event: func.EventGridEvent) -> None:
    """Events of a subscription that points at this function directly."""
    await _on_a_thread(lambda: ingest.wake_for(wired().worker, (_event(event),)))


def _event(event: Any) -> Event:
    """The platform hands over a CloudEvent where the event is one, whatever the annotation says."""
    cloud = isinstance(event, func.CloudEvent)
    kind, time = (event.type, event.time) if cloud else (event.event_type, event.event_time)
    return Event(str(event.id), str(kind), str(event.subject), in_utc(time))


@app.function_name("on_timer")
@app.timer_trigger(arg_name="timer", schedule=RESYNC_SCHEDULE)
async def on_timer(timer: func.TimerRequest) -> None:
    """A full pass: one message per cluster."""
    await _on_a_thread(lambda: ingest.on_timer(wired().worker))


@app.function_name("on_probe")
@app.timer_trigger(arg_name="timer", schedule=PROBE_SCHEDULE, use_monitor=False)
async def on_probe(timer: func.TimerRequest) -> None:
    """Has any Service changed? One message per cluster."""
    await _on_a_thread(lambda: ingest.on_probe(wired().worker))


@app.function_name("on_reconcile")
@app.queue_trigger(arg_name="message", queue_name=RECONCILE, connection=STORAGE)
async def on_reconcile(message: func.QueueMessage) -> None:
    """The worker: one wake-up of one cluster."""
    inserted = message.insertion_time or datetime.now(UTC)
    await _on_a_thread(lambda: ingest.on_wake_up(wired().worker, message.get_body(), _utc(inserted)))


@app.function_name("on_poison")
@app.queue_trigger(arg_name="message", queue_name=f"{RECONCILE}-poison", connection=STORAGE)
async def on_poison(message: func.QueueMessage) -> None:
    """A wake-up that failed for good."""
    await _on_a_thread(lambda: ingest.on_poison(wired().worker, message.get_body(), f"{RECONCILE}-poison"))


@app.function_name("on_poison_event")
@app.queue_trigger(arg_name="message", queue_name=f"{LB_EVENTS}-poison", connection=STORAGE)
async def on_poison_event(message: func.QueueMessage) -> None:
    """An event that failed for good."""
    await _on_a_thread(lambda: ingest.on_poison(wired().worker, message.get_body(), f"{LB_EVENTS}-poison"))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@app.function_name("resync")
@app.route(route="resync", methods=["POST"])
async def resync(req: func.HttpRequest) -> func.HttpResponse:
    """Reconcile now: queued, planned (``dryRun``) or done while you wait (``wait``)."""
    return await _serve(req, lambda a, p: a.resync(p))


@app.function_name("release")
@app.route(route="release", methods=["POST"])
async def release(req: func.HttpRequest) -> func.HttpResponse:
    """Let go what the brake held back, or accept another cluster identity."""
    return await _serve(req, lambda a, p: a.release(p))


@app.function_name("pause")
@app.route(route="pause", methods=["POST"])
async def pause(req: func.HttpRequest) -> func.HttpResponse:
    """Do nothing for a cluster until it is resumed."""
    return await _serve(req, lambda a, p: a.pause(p))


@app.function_name("resume")
@app.route(route="resume", methods=["POST"])
async def resume(req: func.HttpRequest) -> func.HttpResponse:
    """Go on with a paused cluster."""
    return await _serve(req, lambda a, p: a.resume(p))


@app.function_name("plan")
@app.route(route="plan", methods=["GET"])
async def plan(req: func.HttpRequest) -> func.HttpResponse:
    """What would be written now."""
    return await _serve(req, lambda a, p: a.plan(p))


@app.function_name("status")
@app.route(route="status", methods=["GET"])
async def status(req: func.HttpRequest) -> func.HttpResponse:
    """The state of everything, from the ledgers alone."""
    return await _serve(req, lambda a, p: a.status(p))


@app.function_name("history")
@app.route(route="history", methods=["GET"])
async def history(req: func.HttpRequest) -> func.HttpResponse:
    """What happened, newest first."""
    return await _serve(req, lambda a, p: a.history(p))


@app.function_name("health")
@app.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether settings and ledgers can be read; tells nothing else."""
    reply = await _on_a_thread(lambda: api.answer(lambda: wired().api.health()))
    healthy = reply.status == 200
    return _response(api.Reply(200 if healthy else 503, {"status": "ok" if healthy else "failing"}))


@app.function_name("dashboard")
@app.route(route="dashboard", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def dashboard(req: func.HttpRequest) -> func.HttpResponse:
    """The page without data."""
    return _answer(await _on_a_thread(lambda: answers.page(urlsplit(req.url).path, SIGNED_IN)))


@app.function_name("dashboard_file")
@app.route(route="dashboard/static/{name}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def dashboard_file(req: func.HttpRequest) -> func.HttpResponse:
    """A file of the page."""
    return _answer(await _on_a_thread(lambda: answers.file(req.route_params.get("name", ""))))


@app.function_name("dashboard_data")
@app.route(route="dashboard/data", methods=["GET"], auth_level=DATA_LEVEL)
async def dashboard_data(req: func.HttpRequest) -> func.HttpResponse:
    """What the page shows, rendered."""

    def work() -> answers.Answer:
        return answers.data(lambda: wired().board, datetime.now(UTC), req.params, req.headers, SIGNED_IN)

    return _answer(await _on_a_thread(work))


def _answer(found: answers.Answer) -> func.HttpResponse:
    return func.HttpResponse(
        found.body, status_code=found.status, mimetype=found.mimetype, headers=dict(found.headers)
    )


async def _serve(
    req: func.HttpRequest, call: Callable[[api.Api, api.Params], api.Reply]
) -> func.HttpResponse:
    """Parameters from the query and, for POST, from a JSON body; the query wins."""

    def work() -> api.Reply:
        # The key may stand in the query, too; it is the platform's.
        query = {name: value for name, value in req.params.items() if name not in ("code", "clientId")}
        params = api.parameters(query, req.get_body())
        return call(wired().api, params)

    return _response(await _on_a_thread(lambda: api.answer(work)))


def _response(reply: api.Reply) -> func.HttpResponse:
    body = json.dumps(reply.body, default=str)  # in ASCII: a text may hold what UTF-8 has no bytes for
    return func.HttpResponse(body, status_code=reply.status, mimetype="application/json")
