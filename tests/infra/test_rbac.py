"""The Kubernetes manifests: exactly these verbs, each bound to the identity."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep import INFRA, bicep

RBAC = INFRA / "rbac"
PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
GROUP = "rbac.authorization.k8s.io"
RULES = {
    "services-read.yaml": [("", "services", ["get", "list"])],
    "services-status.yaml": [("", "services/status", ["patch"]), ("", "events", ["create", "patch"])],
    "services-annotate.yaml": [("", "services", ["patch"])],
}

each_manifest = pytest.mark.parametrize("name", RULES)


def documents(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    role, binding = yaml.safe_load_all((RBAC / name).read_text())
    return role, binding


def test_these_are_the_manifests() -> None:
    """A manifest that no test reads could hold anything."""
    assert {path.name for path in RBAC.glob("*.yaml")} == set(RULES)


@each_manifest
def test_a_manifest_gives_exactly_these_verbs(name: str) -> None:
    """One verb too many is on every Service of the cluster."""
    role, _ = documents(name)
    assert role["apiVersion"] == f"{GROUP}/v1"
    assert role["kind"] == "ClusterRole"
    assert role.keys() == {"apiVersion", "kind", "metadata", "rules"}
    given = [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in role["rules"]]
    assert given == [([group], [resource], verbs) for group, resource, verbs in RULES[name]]
    assert all(rule.keys() == {"apiGroups", "resources", "verbs"} for rule in role["rules"])


@each_manifest
def test_a_binding_binds_its_role_to_the_identity(name: str) -> None:
    """A binding to a role of another name is accepted by Kubernetes, and gives nothing."""
    role, binding = documents(name)
    assert (binding["apiVersion"], binding["kind"]) == (f"{GROUP}/v1", "ClusterRoleBinding")
    assert role["metadata"]["name"] == f"pls-reconciler-{Path(name).stem}"
    assert binding["roleRef"] == {"apiGroup": GROUP, "kind": "ClusterRole", "name": role["metadata"]["name"]}
    assert binding["subjects"] == [{"apiGroup": GROUP, "kind": "User", "name": PLACEHOLDER}]


@each_manifest
def test_a_manifest_says_what_to_put_in(name: str) -> None:
    """The object id, by the name of the deployment's output; the client id would be somebody unknown."""
    text = (RBAC / name).read_text()
    assert "IDENTITY_PRINCIPAL_ID" in bicep(INFRA / "main.bicep").all("output")
    assert "IDENTITY_PRINCIPAL_ID" in text
    assert text.count(PLACEHOLDER) in (1, 2)
