"""azd, az, and the hook that both run after a deployment."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functions.test_bindings import triggers
from tests.infra.bicep import INFRA, ROOT, bicep, literal
from tests.infra.sites import served

MAIN = INFRA / "main.bicep"
HOOK = INFRA / "hooks/postdeploy.sh"
OTHER_HOOK = INFRA / "hooks/postdeploy.ps1"
# What azd itself puts into the environment of hooks, or into the file of parameters.
AZDS = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID"}


def azure_yaml() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text())
    return found


def parameters() -> dict[str, Any]:
    """The values of the file of parameters."""
    document = json.loads((INFRA / "main.parameters.json").read_text())
    return {name: entry["value"] for name, entry in document["parameters"].items()}


def test_paths_of_azure_yaml_lead_somewhere() -> None:
    """A hook that was moved ends a deployment after everything is deployed."""
    told = azure_yaml()
    assert (ROOT / told["infra"]["path"] / f"{told['infra']['module']}.bicep") == MAIN
    for system in ("posix", "windows"):
        hook = ROOT / told["hooks"]["postdeploy"][system]["run"]
        assert hook.is_file()
    assert os.access(HOOK, os.X_OK)
    assert (ROOT / told["services"]["reconciler"]["project"]) == ROOT


def test_azd_uploads_what_make_package_builds() -> None:
    """For any other language azd would leave bytecode out, or build once more."""
    service = azure_yaml()["services"]["reconciler"]
    assert (service["language"], service["dist"], service["remoteBuild"]) == (
        "custom",
        "dist/package.zip",
        False,
    )
    assert service["hooks"]["prepackage"]["posix"]["run"] == "make package"
    makefile, tool = (ROOT / "Makefile").read_text(), (ROOT / "tools/package.py").read_text()
    assert re.search(r"^package:.*dist/package\.zip", makefile, re.M)
    assert '"package.zip"' in tool


def test_azd_finds_the_function_app_by_its_tag() -> None:
    """The service's name in azure.yaml, and a tag on the app."""
    name = literal(bicep(MAIN).all("module")["functionApp"].properties("params")["serviceName"])
    assert name in azure_yaml()["services"]
    assert "'azd-service-name': serviceName" in (INFRA / "modules/function-app.bicep").read_text()
    assert "'azd-env-name': environmentName" in MAIN.read_text()


def test_the_file_of_parameters_names_parameters_and_all_that_are_required() -> None:
    """A misspelt one is refused by Azure; a required one that is missing makes az ask, and a pipeline hang."""
    declared = bicep(MAIN).all("parameter")
    assert parameters().keys() <= declared.keys()
    required = {name for name, parameter in declared.items() if not parameter.has_default}
    assert required == {"environmentName", "location"}
    assert required <= parameters().keys()


def test_az_can_use_the_file_of_parameters_as_well() -> None:
    """az fills in no ${…}: only what its command line gives anyway may be written so."""
    filled = {name for name, value in parameters().items() if "${" in json.dumps(value)}
    assert filled == {"environmentName", "location"}
    assert {parameters()[name].strip("${}") for name in filled} <= AZDS


def test_values_in_the_file_of_parameters_are_of_their_types_and_the_defaults() -> None:
    """A text where a list is wanted; or a value that quietly differs from what the parameter's description says."""
    for name, value in parameters().items():
        node = bicep(MAIN).all("parameter")[name].node
        if name in ("environmentName", "location"):
            continue
        default = literal(node.named_children[-1])
        if name == "targets":
            assert value.keys() <= bicep(MAIN).type_properties("targetsType").keys()
            assert all(given == [] for given in value.values())
        else:
            assert (type(value), value) == (type(default), default), name


def test_hooks_ask_for_what_the_deployment_tells() -> None:
    """azd hands outputs to hooks by name."""
    outputs = set(bicep(MAIN).all("output"))
    for hook in (HOOK, OTHER_HOOK):
        asked = set(re.findall(r"\b(?:AZURE|FUNCTION|STORAGE|IDENTITY)_[A-Z_]+\b", hook.read_text()))
        assert asked - AZDS <= outputs, hook.name
        assert {"AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME", "FUNCTION_APP_URI"} <= asked, hook.name


def test_both_hooks_do_the_same() -> None:
    """There is no PowerShell here to run the other one: it names the same commands, pattern and address."""
    for part in (
        "function list --query 'length(@)'",
        "keys list --query functionKeys.default",
        r"^@app\.function_name",
        "/api/resync",
        "x-functions-key",
        "POSTDEPLOY_TRIES",
        "POSTDEPLOY_PAUSE",
        "AppTraces and AppExceptions in Log Analytics",
    ):
        assert part in HOOK.read_text(), part
        assert part in OTHER_HOOK.read_text(), part


class _App(BaseHTTPRequestHandler):
    """A function app: notes what it is asked, and answers with ``statuses`` in turn, then 202."""

    seen: list[tuple[str, str]]
    statuses: list[int]

    def do_POST(self) -> None:
        self.seen.append((self.path, self.headers.get("x-functions-key", "")))
        status = self.statuses.pop(0) if self.statuses else 202
        body = b'{"queued": ["prod"]}' if status == 202 else b'{"error": {"code": "WrongSettings"}}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def app() -> Iterator[HTTPServer]:
    """An address that the hook can call."""
    _App.seen, _App.statuses = [], []
    with served(_App) as site:
        yield site


def run(tmp_path: Path, app: HTTPServer, listed: list[str]) -> subprocess.CompletedProcess[str]:
    """The hook with an az that lists so many functions, one answer after the other, and notes its arguments."""
    (tmp_path / "answers").write_text("\n".join(listed) + "\n")
    az = tmp_path / "az"
    az.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/asked\n'
        'case "$2" in\n'
        "keys) echo the-key ;;\n"
        f"function) head -n 1 {tmp_path}/answers; sed -i '1{{$!d}}' {tmp_path}/answers ;;\n"
        "esac\n"
    )
    az.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "AZURE_RESOURCE_GROUP": "rg",
        "AZURE_SUBSCRIPTION_ID": "sub",
        "FUNCTION_APP_NAME": "func-pls",
        "FUNCTION_APP_URI": f"http://127.0.0.1:{app.server_port}",
        "POSTDEPLOY_PAUSE": "0",
        "POSTDEPLOY_TRIES": "3",
    }
    return subprocess.run(["sh", str(HOOK)], env=environ, cwd=tmp_path, capture_output=True, text=True)


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="the hook needs curl, which is not on PATH")


@needs_curl
def test_the_hook_waits_for_all_functions_and_starts_a_full_pass(tmp_path: Path, app: HTTPServer) -> None:
    """After a deployment functions show up late; their number is that of the code."""
    wanted = str(len(triggers()))
    done = run(tmp_path, app, ["0", wanted])
    assert done.returncode == 0, done.stderr
    assert _App.seen == [("/api/resync", "the-key")]
    assert f"All {wanted} functions are there." in done.stdout
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split(" --")[0] for line in asked] == [
        "functionapp function list",
        "functionapp function list",
        "functionapp keys list",
    ]
    assert all(
        line.endswith("--resource-group rg --name func-pls --output tsv --subscription sub") for line in asked
    )


@needs_curl
def test_the_hook_fails_when_functions_are_missing(tmp_path: Path, app: HTTPServer) -> None:
    """A package that the platform cannot index deploys without an error, and does nothing."""
    done = run(tmp_path, app, ["0"])
    assert done.returncode == 1
    assert f"lists 0 of {len(triggers())} functions" in done.stderr
    assert "log tail" not in done.stderr  # Flex Consumption answers it with 404
    assert _App.seen == []


@needs_curl
def test_the_hook_tries_again_while_the_app_starts(tmp_path: Path, app: HTTPServer) -> None:
    """The first request may meet a host that is not there yet."""
    _App.statuses = [503]
    done = run(tmp_path, app, [str(len(triggers()))])
    assert done.returncode == 0, done.stderr
    assert len(_App.seen) == 2


@needs_curl
def test_the_hook_shows_what_is_wrong_with_the_settings(tmp_path: Path, app: HTTPServer) -> None:
    """A mistake in the clusters: the answer names it, and the deployment is not called done."""
    _App.statuses = [400]
    done = run(tmp_path, app, [str(len(triggers()))])
    assert done.returncode != 0
    assert "WrongSettings" in done.stdout
    assert "the-key" not in done.stdout + done.stderr
