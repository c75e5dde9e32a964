"""The command line on a world in memory."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler import wiring
from reconciler.cli import main
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
TYPO = service("typo", settings={"ip-configuration-ip-address-count": "many"})
CLUSTER = """
- name: {name}
  mode: sync
  api: {{type: kubeconfig, path: "{{apiVersion: v1}}"}}
  subscription: 00000000-0000-0000-0000-000000000001
  location: eastus
  loadBalancerResourceGroup: MC_{name}
  vnet: {{resourceGroup: MC_prod, name: aks-vnet}}
  defaultSubnet: default
  inTree: absent
"""


@dataclass(frozen=True)
class Terminal:
    """Runs commands on a world; ``file`` is the configuration."""

    world: World
    file: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capture.readouterr()
        code = main([words[0], "--config", str(self.file), *words[1:]])
        said = self.capture.readouterr()
        return code, said.out, said.err

    def json(self, *words: str) -> tuple[int, Any]:
        """Exit code and the document on standard output, which must hold nothing else."""
        code, out, _ = self(*words, "--output", "json")
        return code, json.loads(out)

    def digest(self) -> str:
        digest: str = self.json("plan")[1]["plans"][0]["digest"]
        return digest


class Nap:
    """Sleeping moves the world's clock, and lets Azure get on with what it does."""

    def __init__(self, world: World) -> None:
        self._world = world

    def sleep(self, seconds: float) -> None:
        self._world.clock.forward(seconds)
        self._world.azure.settle()


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    """A world with one Service that asks; the test's parameter makes another."""
    make = getattr(request, "param", lambda: worlds.make(WEB, slow=True))
    world: World = make()
    file = tmp_path / "clusters.yaml"
    file.write_text("".join(CLUSTER.format(name=name) for name in world.configs))
    for name in ("CLUSTERS", "CLUSTERS_BLOB", "AzureWebJobsStorage"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        wiring, "app", lambda settings, out: SimpleNamespace(worker=world.worker, api=world.api)
    )
    monkeypatch.setattr(wiring, "planning_engine", lambda settings, out: world.engine)
    monkeypatch.setattr(wiring, "ledger", lambda settings: world.ledger)
    monkeypatch.setattr(importlib.import_module("reconciler.cli.apply"), "time", Nap(world))
    return Terminal(world, file, capsys)


def on(*services: Any, **settings: Any) -> Any:
    """A parameter for the fixture: another world."""
    return lambda: worlds.make(*services, **{"slow": True, **settings})


def given(*services: Any, **settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("terminal", [on(*services, **settings)], indirect=True, ids=[""])
