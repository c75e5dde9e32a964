"""README's terminal session, from a real run: `python -m tests.docs.session` writes it anew.

The commands stand in README behind `$ `. They run in a sandbox without functions, so that it is the command line that
writes, with the Service of README's first screen and one that has a mistake.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from sandbox.up import Sandbox, SandboxOptions
from tests.docs.pages import ROOT, blocks, text_of
from tests.docs.walkthrough import environment
from tests.scenarios.world import World

MISTAKE = {"azure-load-balancer-internal": "true", "azure-pls-create": "true"} | {
    "azure-pls-ip-configuration-ip-address-count": "nine"
}
_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)
OPTIONS = SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, functions=False)


def shown() -> str:
    """The session as README shows it."""
    (found,) = _BLOCK.findall(text_of("README.md"))
    return str(found)


def commands(session: str) -> list[str]:
    """What is typed in."""
    return re.findall(r"^\$ (.+)$", session, re.M)


def services() -> list[dict[str, Any]]:
    """The Service of the first screen, and one that has a mistake."""
    first: dict[str, Any] = yaml.safe_load(blocks(text_of("README.md"), "yaml")[0].text)
    annotations = {f"service.beta.kubernetes.io/{name}": value for name, value in MISTAKE.items()}
    spec = {"type": "LoadBalancer", "ports": [{"port": 8080}]}
    return [first, {**first, "metadata": {"name": "search", "annotations": annotations}, "spec": spec}]


def recorded(typed: list[str]) -> str:
    """The session anew: each command and what it prints, on both streams."""
    with TemporaryDirectory() as home, Sandbox.start(OPTIONS) as sandbox:
        world = World(sandbox)
        for service in services():
            made = sandbox.cluster("prod", "POST", "/api/v1/namespaces/default/services", service)
            world.expect(made, 201)
            world.address("prod", service["metadata"]["name"])
        _allow_private_link(sandbox)
        surroundings = environment(Path(home)) | sandbox.settings
        return "\n".join(f"$ {line}\n{_printed(line, surroundings)}" for line in typed)


def _allow_private_link(sandbox: Sandbox) -> None:
    """Switch the NAT subnet's policies off, which else were a write of its own."""
    arm, network = sandbox.endpoints["arm"], sandbox.endpoints["clusters"]["prod"]
    group = f"/subscriptions/{arm['subscription']}/resourceGroups/{network['nodeResourceGroup']}"
    subnet = (
        f"{group}/providers/Microsoft.Network/virtualNetworks/{network['vnet']['name']}/subnets/pls-subnet"
    )
    body = {"properties": {"privateLinkServiceNetworkPolicies": "Disabled"}}
    assert sandbox.arm_backdoor("PATCH", "resources", body, id=subnet).status == 200


def _printed(line: str, surroundings: dict[str, str]) -> str:
    ended = subprocess.run(
        ["bash", "-c", line],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return re.sub(r"/subscriptions/\S*/", "…/", ended.stdout)  # else hardly anybody would read on


if __name__ == "__main__":
    page = text_of("README.md")
    session = recorded(commands(shown()))
    (ROOT / "README.md").write_text(_BLOCK.sub(lambda _: session, page), encoding="utf-8")
