"""Kubeconfigs as AKS gives them: `listClusterUserCredential` and `listClusterAdminCredential`."""

from __future__ import annotations

import base64

import yaml

from sandbox.arm.control_planes import ControlPlane
from sandbox.arm.ids import ResourceId
from sandbox.arm.state import Json

_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_CLIENT_APPLICATION = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
_HINT = "kubelogin is not installed which is required to connect to AAD enabled cluster."


def credentials(target: ResourceId, plane: ControlPlane, role: str, user: Json) -> Json:
    """The answer of a credential action; `role` is clusterUser or clusterAdmin."""
    content = yaml.safe_dump(_kubeconfig(target, plane, role, user), sort_keys=True)
    return {"kubeconfigs": [{"name": role, "value": base64.b64encode(content.encode()).decode()}]}


def admin(plane: ControlPlane) -> Json:
    """A user who may do everything, for ever."""
    return {"token": plane.admin_token}


def entra(tenant: str, form: str) -> Json:
    """A user who logs in to Entra ID; `form` is `azure`, for clients of old, else an `exec` of kubelogin."""
    if form == "azure":
        return {
            "auth-provider": {
                "name": "azure",
                "config": {
                    "apiserver-id": _SERVER_APPLICATION,
                    "client-id": _CLIENT_APPLICATION,
                    "config-mode": "1",
                    "environment": "AzurePublicCloud",
                    "tenant-id": tenant,
                },
            }
        }
    words = ["get-token", "--environment", "AzurePublicCloud", "--server-id", _SERVER_APPLICATION]
    words += ["--client-id", _CLIENT_APPLICATION, "--tenant-id", tenant, "--login", "devicecode"]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "kubelogin",
            "args": words,
            "env": None,
            "installHint": _HINT,
            "provideClusterInfo": False,
        }
    }


def _kubeconfig(target: ResourceId, plane: ControlPlane, role: str, user: Json) -> Json:
    name, user_name = str(target.name), f"{role}_{target.group}_{target.name}"
    authority = base64.b64encode(plane.ca.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [
            {"name": name, "cluster": {"server": plane.server, "certificate-authority-data": authority}}
        ],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user_name}}],
        "current-context": name,
    }
