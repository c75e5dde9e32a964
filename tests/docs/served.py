"""What function_app.py and reconciler/api.py serve, as the pages must tell it: triggers, parameters, error codes."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from reconciler import api
from reconciler.setting_table import SETTINGS
from tests.docs.pages import ROOT

API = ast.parse(Path(api.__file__).read_text())
FUNCTIONS = {node.name: node for node in ast.walk(API) if isinstance(node, ast.FunctionDef)}
METHODS = {
    node.name: node
    for node in ast.walk(API)
    if isinstance(node, ast.FunctionDef) and any(arg.arg in ("self", "params") for arg in node.args.args)
}


@cache
def triggers() -> dict[str, dict[str, Any]]:
    """The trigger of each function, settings at their defaults. An app tells its functions only once."""
    spec = importlib.util.spec_from_file_location("app_of_the_pages", ROOT / "function_app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for setting in SETTINGS:
            patch.delenv(setting.name, raising=False)
        spec.loader.exec_module(module)
    functions = module.app.get_functions()
    return {function.get_function_name(): function.get_trigger().get_dict_repr() for function in functions}


def routes() -> dict[str, tuple[str, str, str]]:
    """The functions with an HTTP trigger: name → method, route, key."""
    http = {name: t for name, t in triggers().items() if t["type"] == "httpTrigger"}
    return {name: (t["methods"][0].value, t["route"], t["authLevel"].value) for name, t in http.items()}


def parameters_of(method: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The parameters that a method of the API, and the methods it hands its parameters to, look at."""
    found = set()
    for call in (node for node in ast.walk(METHODS[method]) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        passes = any(isinstance(arg, ast.Name) and arg.id == "params" for arg in call.args)
        gets = (
            name == "get"
            and isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value) == "params"
        )
        if gets or (passes and name in ("_flag", "_number")):
            found |= {
                arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
        elif passes and name in METHODS and name not in seen:
            found |= parameters_of(name, seen | {method})
    return found - {""}


def statuses_of(method: str) -> set[int]:
    """The statuses of good answers of a method of the API, and of the methods it calls."""
    calls = [call for name in _reached(method) for call in _calls(name) if _name(call) == "Reply"]
    return {int(str(call.args[0].value)) for call in calls if isinstance(call.args[0], ast.Constant)}


def errors_of(method: str) -> set[tuple[str, int]]:
    """The codes, with their HTTP status, of the mistakes that a method and what it calls find."""
    return {error for name in _reached(method) for error in _errors(FUNCTIONS[name])}


def errors() -> set[tuple[str, int]]:
    """Every code that the API raises, with its HTTP status."""
    return _errors(API)


def _reached(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """A function and those of the same file that it calls."""
    called = {_name(call) for call in _calls(name)} & set(FUNCTIONS)
    deeper = (_reached(each, seen | {name}) for each in called - seen - {name})
    return {name}.union(*deeper)


def _calls(name: str) -> list[ast.Call]:
    return [node for node in ast.walk(FUNCTIONS[name]) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    """Of what is called; a method of the worker is none of ours."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr if ast.unparse(call.func.value) == "self" else ""
    return getattr(call.func, "id", "")


def _errors(part: ast.AST) -> set[tuple[str, int]]:
    return {
        (code.value, int(str(call.args[0].value)))
        for call in ast.walk(part)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in ("BadRequest", "failure")
        and isinstance(call.args[0], ast.Constant)
        for code in ast.walk(call.args[1])
        if isinstance(code, ast.Constant) and isinstance(code.value, str) and code.value
    }


# Of the body, and of what fails outside: any call may answer them.
API_FAILURES = _errors(FUNCTIONS["parameters"]) | _errors(FUNCTIONS["answer"])
