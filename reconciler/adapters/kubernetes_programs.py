"""Kubeconfigs that leave the token to a program (``exec``, such as kubelogin), and where that cannot work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.adapters.wire import clean
from reconciler.errors import Denied

_FUNCTIONS = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")  # set by the platform
_LONGEST = 80
_WAY_OUT = (
    "For an AKS cluster use api: {type: aks, resourceId: …}; for another one that takes Entra tokens "
    "{type: server, server: …, scope: …}; for any other {type: server, server: …, tokenSecret: …}"
)


def refuse_program(kubeconfig: Any, context: str, folder: Path | None, environ: Mapping[str, str]) -> str:
    """The program that gets the token; "" where there is none. Raises Denied where it cannot run.

    ``folder`` is where the kubeconfig is: a program's relative path starts there.
    """
    user = _user(kubeconfig, context)
    plugin = _mapping(user.get("exec"))
    provider = _mapping(user.get("auth-provider")).get("name")
    if provider and provider != "oidc":  # kubectl, too, dropped the others: they ran programs
        raise _refused(f"the auth provider {_shown(provider)}, which is no longer supported")
    program = plugin.get("command")
    if not program:
        return ""
    if any(environ.get(name) for name in _FUNCTIONS):
        raise _refused(f"the program {_shown(program)}, which cannot run in Azure Functions")
    if not _there(str(program), folder, environ):
        raise _refused(f"the program {_shown(program)}, which is not on the PATH here")
    return _shown(program)


def _there(program: str, folder: Path | None, environ: Mapping[str, str]) -> bool:
    wanted = str(folder / program) if folder and os.sep in program else program
    return shutil.which(wanted, path=environ.get("PATH")) is not None


def _refused(what: str) -> Denied:
    return Denied(
        f"The configured access to the cluster is not usable: its kubeconfig needs {what}. {_WAY_OUT}"
    )


def _shown(value: object) -> str:
    """Of a long path its end, where the program's name is."""
    if not isinstance(value, str):
        return "that is none"
    return clean(value if len(value) <= _LONGEST else f"…{value[1 - _LONGEST :]}", _LONGEST)


def _user(kubeconfig: Any, context: str) -> Mapping[str, Any]:
    """The user in force; empty where there is none (what is wrong then is the library's to say)."""
    document = _mapping(kubeconfig)
    chosen = _entry(document.get("contexts"), context or document.get("current-context"), "context")
    return _entry(document.get("users"), chosen.get("user"), "user")


def _entry(entries: Any, name: Any, key: str) -> Mapping[str, Any]:
    for entry in map(_mapping, entries if isinstance(entries, list) else ()):
        if isinstance(name, str) and entry.get("name") == name:
            return _mapping(entry.get(key))
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
