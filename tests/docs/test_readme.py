"""README's tables and examples say what the code does."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from reconciler import api, arm_ids, claims, reading
from reconciler.claims import PLS_ANNOTATIONS, read_claim
from reconciler.cli import codes, main
from reconciler.cli.words import EXIT_CODES
from reconciler.cluster_schema import (
    AksClusterText,
    AksText,
    ClusterText,
    DiscoveryText,
    InClusterText,
    KubeconfigText,
    ServerText,
    VnetText,
)
from reconciler.cluster_settings import parse_clusters
from reconciler.model import STANDARD_PREFIX
from reconciler.plan import PutPls
from reconciler.settings import SETTINGS
from tests import builders
from tests.conformance.test_peer_vectors import DEVIATIONS, VECTORS
from tests.docs.command_line import GROUP
from tests.docs.pages import ROOT, blocks, first_column, tables, text_of
from tests.docs.pages import codes as in_backticks

README = text_of("README.md")
TABLES = tables(README)
UID = "11111111-2222-3333-4444-555555555555"
NONE = "\N{EN DASH}"


def manifest() -> dict[str, Any]:
    """The Service of the first screen."""
    found: dict[str, Any] = yaml.safe_load(blocks(README, "yaml")[0].text)
    return found


def test_the_first_screen_has_six_lines_of_annotations() -> None:
    """It says six."""
    assert len(manifest()["metadata"]["annotations"]) == 6


def test_the_manifest_becomes_what_the_page_says() -> None:
    """The first thing people read is the body that is really written, ids shortened."""
    metadata = {"namespace": "default", "uid": UID, "creationTimestamp": "2026-01-01T00:00:00Z"}
    service = reading.service({**manifest(), "metadata": {**manifest()["metadata"], **metadata}})
    assert service is not None
    claim = read_claim(service, STANDARD_PREFIX, "default")
    assert claim.asks
    assert claim.warnings == ()
    (write,) = builders.decide(service).writes
    assert isinstance(write, PutPls)
    assert arm_ids.last_name(write.pls_id) == "myapp"
    assert shortened(write.body) == yaml.safe_load(blocks(README, "yaml")[1].text)


def shortened(value: Any) -> Any:
    """A body with its ids cut to their last two parts."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return "…/" + "/".join(value.split("/")[-2:]) if str(value).startswith("/subscriptions/") else value


def test_the_cluster_example_is_read() -> None:
    """What people copy first passes the check, and writes nothing."""
    (cluster,) = parse_clusters(blocks(README, "yaml")[2].text).clusters
    assert (cluster.mode, cluster.in_tree, cluster.tags) == ("plan", "active", {"team": "network"})


def test_every_annotation_has_a_row() -> None:
    """A new annotation is told."""
    own, balancers = (
        TABLES["Annotation | Meaning | Default | A bad value"],
        TABLES["Annotation | What for | A bad value"],
    )
    assert first_column(own) == list(PLS_ANNOTATIONS)
    constants = {v.rpartition("/")[2] for k, v in vars(claims).items() if re.match(r"(LB|PIP)_", k)}
    # IPv6 addresses place nobody: a Private Link Service has no IPv6.
    assert set(first_column(balancers)) == constants - {"azure-load-balancer-ipv6"}


@pytest.mark.parametrize(
    "row", TABLES["Annotation | Meaning | Default | A bad value"], ids=lambda row: row[0]
)
def test_annotations_refuse_what_the_table_says(row: tuple[str, ...]) -> None:
    """Where the table says refused, some value is; where it says none, no value is."""
    tries = ("", " ", "x/y", "0", "9", "*.*", "a" * 91, " ".join(f"s{i}" for i in range(101)), "-")
    asking = {"create": "true", row[0]: ""}
    invalid = [
        value
        for value in tries
        if isinstance(
            read_claim(
                builders.service(annotations={STANDARD_PREFIX + k: v or value for k, v in asking.items()}),
                STANDARD_PREFIX,
                "default",
            ).wish,
            claims.Invalid,
        )
    ]
    assert bool(invalid) == ("refused" in row[3])


def test_settings_are_the_codes_own() -> None:
    """Name, default and meaning, in the code's order."""
    expected = [(s.name, s.default or NONE, s.meaning) for s in SETTINGS]
    assert TABLES["Setting | Default | Meaning"] == expected


def cluster_keys() -> Iterator[tuple[str, bool, Any]]:
    """(key, required, default) of a cluster's entry."""
    for prefix, part in (("", ClusterText), ("vnet.", VnetText)):
        for name, field in part.model_fields.items():
            yield f"{prefix}{field.alias or name}", field.is_required(), field.default


def test_cluster_keys_are_the_codes_own() -> None:
    """Every key, whether it is required, and its default where it is a plain value."""
    rows = {row[0]: row[1] for row in TABLES["Key | Default | Meaning"]}
    assert set(rows) == {key for key, _, _ in cluster_keys()}
    for key, required, default in cluster_keys():
        assert (rows[key] == "required") == required, key
        if default and isinstance(default, str | int):
            assert rows[key] == str(default), key


WAYS: dict[str, type[BaseModel]] = {
    "aks": AksText,
    "kubeconfig": KubeconfigText,
    "server": ServerText,
    "inCluster": InClusterText,
}


def test_the_ways_to_a_cluster_are_the_codes_own() -> None:
    """Every key of every type of ``api``, and whether it is required."""
    told = {
        (row[0], row[1]): row[2] == "required" for row in TABLES["Type | Key | Default | Meaning"] if row[1]
    }
    assert told == {
        (kind, field.alias): field.is_required()
        for kind, part in WAYS.items()
        for field in part.model_fields.values()
        if field.alias != "type"
    }
    assert {row[0] for row in TABLES["Type | Key | Default | Meaning"]} == set(WAYS)


def test_what_an_aks_cluster_may_leave_out_is_told() -> None:
    """Every key that other clusters need and an AKS cluster does not."""
    row = next(row for row in TABLES["Type | Key | Default | Meaning"] if row[0] == "aks")
    left = {
        field.alias
        for name, field in AksClusterText.model_fields.items()
        if not field.is_required() and ClusterText.model_fields[name].is_required()
    }
    assert left <= set(re.findall(r"\w+", row[3]))


def test_the_example_of_a_search_is_read_and_its_keys_are_told() -> None:
    """Every key that an entry of ``discover`` takes, none else."""
    (found,) = parse_clusters(blocks(README, "yaml")[3].text).discoveries
    assert (found.tag, found.value, found.defaults.mode) == ("private-links", "on", "plan")
    told = README.partition("Beside `subscription` and `tag`, an entry takes")[2].partition("\n\n")[0]
    keys = {field.alias for field in DiscoveryText.model_fields.values()}
    assert set(re.findall(r"`(\w+)`", told)) == keys - {"subscription", "tag"}


@pytest.fixture(scope="module")
def triggers() -> dict[str, dict[str, Any]]:
    """The trigger of each function, settings at their defaults. An app tells its functions only once."""
    spec = importlib.util.spec_from_file_location("app_of_the_readme", ROOT / "function_app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for setting in SETTINGS:
            patch.delenv(setting.name, raising=False)
        spec.loader.exec_module(module)
    functions = module.app.get_functions()
    return {function.get_function_name(): function.get_trigger().get_dict_repr() for function in functions}


def test_functions_are_the_apps_own(triggers: dict[str, dict[str, Any]]) -> None:
    """Name, trigger and key of every function."""
    assert [row[:3] for row in TABLES["Function | Trigger | Key | What it does"]] == [
        (name, *_trigger(binding)) for name, binding in triggers.items()
    ]


def _trigger(binding: dict[str, Any]) -> tuple[str, str]:
    match binding["type"]:
        case "queueTrigger":
            return f"queue `{binding['queueName']}`", NONE
        case "timerTrigger":
            return f"timer `{binding['schedule']}`", NONE
        case "httpTrigger":
            (method,) = binding["methods"]
            return f"{method.value} `/api/{binding['route']}`", binding["authLevel"].value
    return "Event Grid", NONE


API = ast.parse(Path(api.__file__).read_text())
METHODS = {
    node.name: node
    for node in ast.walk(API)
    if isinstance(node, ast.FunctionDef) and any(arg.arg in ("self", "params") for arg in node.args.args)
}


def parameters_of(method: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The parameters that a method, and the methods it hands its parameters to, look at."""
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


def test_http_calls_and_parameters_are_the_codes_own(triggers: dict[str, dict[str, Any]]) -> None:
    """Every call with exactly the parameters that it reads. What serves the dashboard is the page's own affair."""
    rows = {row[0]: set(in_backticks(row[1])) for row in TABLES["Call | Parameters | Answer"]}
    http = [t for t in triggers.values() if t["type"] == "httpTrigger"]
    routes = {t["route"]: t["methods"][0].value for t in http if not t["route"].startswith("dashboard")}
    assert rows == {f"{verb} /api/{route}": parameters_of(route) for route, verb in routes.items()}


def test_error_codes_are_the_codes_own() -> None:
    """Every code that the API raises, with its HTTP status."""
    raised = {
        (code.value, call.args[0].value)
        for call in ast.walk(API)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in ("BadRequest", "failure")
        and isinstance(call.args[0], ast.Constant)
        for code in ast.walk(call.args[1])
        if isinstance(code, ast.Constant) and isinstance(code.value, str) and code.value
    }
    assert {(row[0], int(row[1])) for row in TABLES["Code | Status | When"]} == raised


def test_commands_are_the_command_lines_own() -> None:
    """Every command, with what it says of itself."""
    said = {name: command.help.splitlines()[0] for name, command in GROUP.commands.items()}
    assert {row[0]: row[1] for row in TABLES["Command | What it does"]} == said


def test_exit_codes_are_the_codes_own() -> None:
    """Numbers as in the code, words as in the help."""
    rows = {int(row[0]): row[1] for row in TABLES["Exit code | Meaning"]}
    assert rows == EXIT_CODES
    assert set(rows) == {v for k, v in vars(codes).items() if k.isupper()}


def test_a_wrong_command_line_ends_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline must be able to tell it from a plan with writes, or at least know that it cannot."""
    ended = main(["plan", "--nope"])
    assert capsys.readouterr().err
    said = re.search(r"A command line that cannot be read\s+ends\s+with (\d+)", README)
    assert said
    assert int(said[1]) == ended


def test_the_scenarios_are_counted() -> None:
    """The number of recorded scenarios."""
    assert f"All\n{len(VECTORS['scenarios'])} recorded scenarios" in README


def test_each_deviation_has_its_row_and_each_row_its_test() -> None:
    """The table of deviations is the one that the conformance test asserts."""
    page = tables(text_of("docs/decisions/0001-deviations-from-the-in-tree-controller.md"))
    rows = page["Scenario | The in-tree controller | Here | Why"]
    assert sorted(first_column(rows)) == sorted(DEVIATIONS)
