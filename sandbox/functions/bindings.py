"""An app's functions and bindings, read from the app itself and checked as the platform's indexer does."""

import importlib.util
import inspect
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.decorators.function_app import FunctionRegister
from azure.functions.meta import get_binding_registry

from sandbox.functions.configuration import ConfigurationError, resolve

RETURN = "$return"
CONTEXT = "context"


@dataclass(frozen=True)
class QueueTrigger:
    """A function invoked per message; `connection` names a setting."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True)
class TimerTrigger:
    """A function invoked on a schedule: NCRONTAB or a time span."""

    parameter: str
    schedule: str
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True)
class HttpTrigger:
    """A function behind a route; no methods means every method."""

    parameter: str
    route: str
    methods: frozenset[str]
    level: str  # anonymous, function or admin


@dataclass(frozen=True)
class EventGridTrigger:
    """A function invoked per event that Event Grid posts to the webhook."""

    parameter: str


Trigger = QueueTrigger | TimerTrigger | HttpTrigger | EventGridTrigger


def describe(trigger: Trigger) -> str:
    """A trigger in a few words, for the list of functions at start."""
    match trigger:
        case QueueTrigger(_, queue, _):
            return f"queue {queue}"
        case TimerTrigger(_, schedule, _, _):
            return f"timer {schedule}"
        case HttpTrigger(_, route, methods, level):
            return f"http {','.join(sorted(methods)) or 'any method'} {route} ({level})"
        case EventGridTrigger():
            return "event grid"


@dataclass(frozen=True)
class QueueOutput:
    """A queue that receives what the function sets on a parameter, or returns."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True)
class Function:
    """One function of the app."""

    name: str
    call: Callable[..., Any]
    trigger: Trigger
    outputs: tuple[QueueOutput, ...]
    wants_context: bool
    annotation: Any  # of the trigger's parameter

    @property
    def is_async(self) -> bool:
        """What the worker decides by: a sync wrapper around a coroutine function is not async."""
        return inspect.iscoroutinefunction(self.call)


def load_functions(app: Path, environment: Mapping[str, str]) -> list[Function]:
    """Import the app in `app` and read its enabled functions. Raises ConfigurationError."""
    try:
        registered = _register(_import(app, environment)).get_functions()
    except ValueError as error:  # the library's own checks: a name that is not unique, no trigger
        raise ConfigurationError(str(error)) from error
    return [
        function
        for function in _read_all(registered, environment)
        if environment.get(f"AzureWebJobs.{function.name}.Disabled", "").lower() not in ("1", "true")
    ]


def _import(app: Path, environment: Mapping[str, str]) -> Any:
    path = app / environment.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not path.is_file():
        raise ConfigurationError(f"there is no {path.name} in {app}")
    sys.path.insert(0, str(app))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(f"{path.name} cannot be imported:\n{_told(error, path)}") from error
    return module


def _told(error: Exception, path: Path) -> str:
    """The traceback from the app's own file on: what led there is the host's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _register(module: Any) -> FunctionRegister:
    apps = {id(v): v for v in vars(module).values() if isinstance(v, FunctionRegister)}
    if len(apps) != 1:
        raise ConfigurationError(f"{module.__name__} must have exactly one FunctionApp, it has {len(apps)}")
    return next(iter(apps.values()))


def _read_all(registered: Iterable[Any], environment: Mapping[str, str]) -> list[Function]:
    functions, mistakes = [], []
    for one in registered:
        try:
            functions.append(_read(one, environment))
        except ConfigurationError as error:
            mistakes.append(f"function {one.get_function_name()!r}: {error}")
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return functions


def _read(one: Any, environment: Mapping[str, str]) -> Function:
    trigger = _trigger(one, environment)
    outputs = tuple(_outputs(one, environment))
    call = one.get_user_function()
    hints, parameters = _signature(call)
    bound = {trigger.parameter, *(o.parameter for o in outputs)} - {RETURN}
    if parameters - {CONTEXT} != bound:
        raise ConfigurationError(f"its parameters {sorted(parameters)} are not its bindings {sorted(bound)}")
    _check_annotation(one.get_trigger().type, hints.get(trigger.parameter))
    return Function(
        name=one.get_function_name(),
        call=call,
        trigger=trigger,
        outputs=outputs,
        wants_context=CONTEXT in parameters,
        annotation=hints.get(trigger.parameter),
    )


def _signature(call: Callable[..., Any]) -> tuple[dict[str, Any], set[str]]:
    try:
        return typing.get_type_hints(call), set(inspect.signature(call).parameters)
    except NameError as error:
        raise ConfigurationError(f"an annotation cannot be resolved: {error}") from error


def _check_annotation(kind: str, annotation: Any) -> None:
    """The library's own converter says which types it can make; text and bytes are always possible."""
    if annotation in (None, Any, str, bytes):
        return
    converter: Any = get_binding_registry().get(kind)  # type: ignore[no-untyped-call]
    if not isinstance(annotation, type) or not converter.check_input_type_annotation(annotation):
        raise ConfigurationError(f"a {kind} cannot give its parameter a {annotation}")


def _trigger(one: Any, environment: Mapping[str, str]) -> Trigger:
    trigger = one.get_trigger()
    if trigger is None:
        raise ConfigurationError("it has no trigger")
    match trigger.type:
        case "queueTrigger":
            queue = resolve(trigger.queue_name, environment)
            return QueueTrigger(trigger.name, queue, trigger.connection)
        case "timerTrigger":
            return TimerTrigger(
                trigger.name,
                resolve(trigger.schedule, environment),
                run_on_startup=bool(trigger.run_on_startup),
                use_monitor=trigger.use_monitor is not False,
            )
        case "httpTrigger":
            return _http_trigger(one, trigger)
        case "eventGridTrigger":
            return EventGridTrigger(trigger.name)
        case other:
            raise ConfigurationError(f"this host has no {other}")


def _http_trigger(one: Any, trigger: Any) -> HttpTrigger:
    level = trigger.auth_level or func.AuthLevel.FUNCTION
    return HttpTrigger(
        trigger.name,
        (trigger.route or one.get_function_name()).strip("/"),
        frozenset(_text(method).upper() for method in trigger.methods or ()),
        _text(level).lower(),
    )


def _text(value: Any) -> str:
    """Methods and levels are enumerations, or whatever text the author wrote."""
    return str(getattr(value, "value", value))


def _outputs(one: Any, environment: Mapping[str, str]) -> Iterable[QueueOutput]:
    for binding in one.get_bindings():
        match binding.type:
            case "queue":
                queue = resolve(binding.queue_name, environment)
                yield QueueOutput(binding.name, queue, binding.connection)
            case "http" | "queueTrigger" | "timerTrigger" | "httpTrigger" | "eventGridTrigger":
                pass
            case other:
                raise ConfigurationError(f"this host has no binding {other!r}")
