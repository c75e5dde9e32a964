"""docs/migration.md, played in a sandbox whose in-tree controller has made the Private Link Services.

The commands of way B are the page's own. There are no functions: each run is asked for, so that between the steps
nothing else can write. What must hold from the first step to the last: nobody writes a Private Link Service, and alias
and connection stay.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.up import Sandbox, SandboxOptions
from tests.docs.pages import Block, blocks, text_of
from tests.docs.walkthrough import environment
from tests.scenarios.world import World

Json = dict[str, Any]
PAGE = "docs/migration.md"
COPY, REMOVE = (
    block.text for block in blocks(text_of(PAGE).replace("\n   ", "\n"), "sh") if "shlex" in block.text
)
OWN = {"plsPrefix": "example.com/azure-pls-"}
SETTLE_SECONDS = 1
pytestmark = pytest.mark.timeout(300)  # some twenty programs are started one after another


class Migration(World):
    """A cluster on its way; `mode` and `entry` are what its entry says besides the rest."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        super().__init__(sandbox)
        self._file = sandbox.state / "migration.yaml"
        self._file.write_text((sandbox.state / "clusters.yaml").read_text())
        self._environment = environment(home) | sandbox.settings | {"CLUSTERS": str(self._file)}
        self._environment["KUBECONFIG"] = str(sandbox.kubeconfig("prod"))

    def configure(self, mode: str, entry: Json) -> None:
        """Deploy another entry of the cluster."""
        document = yaml.safe_load(self._file.read_text())
        kept = {k: v for k, v in document["clusters"][0].items() if k not in ("plsPrefix", "inTree")}
        self._file.write_text(yaml.safe_dump({"clusters": [{**kept, "mode": mode, **entry}]}))

    def shell(self, script: str, *codes: int, **settings: str) -> str:
        """What a script prints. It must end with one of the codes (0)."""
        ended = subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{script}"],
            env=self._environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode in (codes or (0,)), ended.stdout + ended.stderr
        return ended.stdout

    def annotate_all(self, commands: str) -> None:
        """Run what a command of the page prints, and wait until the in-tree controller has looked at it."""
        printed = self.shell(commands)
        assert printed.count("kubectl annotate service") == 2
        self.shell(printed)
        self.nudge("prod", *(service["metadata"]["name"] for service in self.services("prod")))

    def status_lists(self) -> set[str]:
        """The aliases that status tells."""
        return set(re.findall(r"\S+\.azure\.privatelinkservice", self.shell("plsctl status")))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    options = SandboxOptions(
        clusters=("prod",),
        provisioning_seconds=0.3,
        ccm_pls=True,
        pls_cache_seconds=0.5,
        settle_seconds=SETTLE_SECONDS,
        functions=False,
    )
    with Sandbox.start(options) as sandbox:
        yield Migration(sandbox, tmp_path_factory.mktemp("home"))


@pytest.fixture
def before(world: Migration) -> Iterator[dict[str, Json]]:
    """A PLS with a consumer and one with the defaults, made by the in-tree controller; both must stay as they are."""
    world.shell("plsctl resume --cluster prod")
    world.remove("prod", *(service["metadata"]["name"] for service in world.services("prod")))
    everyone = {"pls_visibility": "*", "pls_auto_approval": world.subscription}
    named = world.make_ready("prod", "named", pls_fqdns="a.example", **everyone)
    world.connect(named, f"consumer-{uuid.uuid4()}")
    world.ready(named, lambda has: len(has["privateEndpointConnections"]) == 1)
    internal = {"load-balancer-internal": "true", "pls-create": "true"}
    world.apply_service("prod", "plain", internal)
    world.address("prod", "plain")
    links = listed(world)
    assert len(links) == 2
    world.forget_requests()
    yield links
    assert world.link_writes() == []
    assert listed(world) == links


def listed(world: World) -> dict[str, Json]:
    """What `az network private-link-service list` gives, by alias."""
    found = world.expect(world.sandbox.arm("GET", world.group("MC_prod") + LINKS), 200)["value"]
    return {pls["properties"]["alias"]: pls for pls in found}


LINKS = "/providers/Microsoft.Network/privateLinkServices"
WITHOUT_STORAGE = {"AzureWebJobsStorage": ""}


def test_way_a_writes_nothing(world: Migration, before: dict[str, Json]) -> None:
    """A plan from a laptop, then mode by mode: no write, and status tells the aliases as soon as it may write."""
    world.configure("plan", {})
    assert "nothing to write" in world.shell("plsctl plan", **WITHOUT_STORAGE)
    world.shell("plsctl resync --wait --cluster prod")
    assert world.status_lists() == set()
    for mode in ("upsert-only", "sync"):
        world.configure(mode, {})
        world.shell("plsctl apply")
        assert world.status_lists() == set(before)


def test_an_edit_by_hand_shows_in_the_plan(world: Migration) -> None:
    """At once on a laptop; by the deployed functions as soon as the claim was left to the in-tree controller for long."""
    world.configure("plan", {})
    pls_id = world.make_ready("prod", "edited", pls_fqdns="a.example")
    world.edit_by_hand(pls_id, lambda pls: pls["properties"].update(fqdns=["by-hand.example"]))
    world.ready(pls_id, lambda has: has["fqdns"] == ["by-hand.example"])
    update = "fqdns: by-hand.example → a.example"
    assert update in world.shell("plsctl plan", 2, **WITHOUT_STORAGE)
    world.shell("plsctl resync --wait --cluster prod")
    world.wait("the plan with storage says the same", lambda: update in world.shell("plsctl plan", 0, 2, 3))
    world.ready(pls_id, lambda has: has["fqdns"] == ["by-hand.example"])


def test_ways_b_and_back_write_nothing(world: Migration, before: dict[str, Json]) -> None:
    """The page's own commands, there and back, with a look at the plan at each step; then runs that may write."""
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl on this machine")
    for prefix, entry, copy, remove in (
        (OWN["plsPrefix"], OWN, COPY, REMOVE),
        ("service.beta.kubernetes.io/azure-pls-", {}, reverse(COPY), reverse(REMOVE)),
    ):
        world.shell("plsctl pause --cluster prod")
        world.annotate_all(copy)
        world.configure("sync", entry)
        world.shell("plsctl plan --cluster prod")
        world.annotate_all(remove)
        world.shell("plsctl plan --cluster prod")
        world.shell("plsctl resume --cluster prod")
        world.shell("plsctl apply")
        (one, _) = world.services("prod")
        keys = [key for key in one["metadata"]["annotations"] if "azure-pls-" in key]
        assert keys
        assert all(key.startswith(prefix) for key in keys)


def reverse(command: str) -> str:
    """The same command from the own prefix to the standard one."""
    standard, own = "service.beta.kubernetes.io", "example.com"
    return command.replace(standard, "@").replace(own, standard).replace("@", own)


def test_a_step_too_early_keeps_what_is_there(world: Migration, before: dict[str, Json]) -> None:
    """The prefix before the annotations: nobody asks, everything is kept."""
    world.configure("sync", OWN)
    assert world.shell("plsctl apply", 0, 3).count("kept as it is") == len(before)


def test_annotations_that_go_one_by_one_are_followed_by_the_in_tree_controller(world: Migration) -> None:
    """Why the page's commands change all of a Service at once."""
    world.configure("sync", {})
    pls_id = world.make_ready("prod", "slowly", pls_fqdns="a.example")
    world.annotate("prod", "slowly", {"pls-fqdns": None})
    world.ready(pls_id, lambda has: has["fqdns"] == [])


def test_the_page_has_the_two_commands() -> None:
    """One copies, one takes away; both stand in lists, indented."""
    assert '+ "=" + v' in COPY
    assert 'k + "-"' in REMOVE
    assert Block("sh", "plsctl pause --cluster prod\n") in blocks(text_of(PAGE).replace("\n   ", "\n"), "sh")
