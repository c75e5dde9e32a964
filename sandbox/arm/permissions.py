"""`Microsoft.Authorization/permissions`: what the caller may do at a scope. Told, never enforced.

Everybody may do everything, until the back door `permissions` says less for a scope and what is below it.
"""

from __future__ import annotations

from sandbox.arm import fidelity
from sandbox.arm.conditions import require_group
from sandbox.arm.errors import gateway
from sandbox.arm.ids import parse
from sandbox.arm.state import Json
from sandbox.arm.world import Call, Reply, World

_SUFFIX = "/providers/microsoft.authorization/permissions"
EVERYTHING: Json = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}


def scope_of(path: str) -> str | None:
    """The scope that a path asks about."""
    trimmed = path.rstrip("/")
    return trimmed[: -len(_SUFFIX)] if trimmed.lower().endswith(_SUFFIX) else None


def serve(world: World, call: Call, scope: str) -> Reply:
    """GET of the permissions at a scope: those of the longest scope that the back door named, else everything."""
    target = parse(scope)
    if call.method != "GET" or target is None:
        raise gateway.NO_VERB.error(method=call.method, path=call.path)
    require_group(world, target)
    named = [known for known in world.permissions if f"{scope.lower()}/".startswith(f"{known}/")]
    granted = world.permissions[max(named, key=len)] if named else EVERYTHING
    return Reply(200, {"value": [granted]}, guess=fidelity.PERMISSIONS)


def limit(world: World, scope: str, body: Json) -> None:
    """From now on the caller has these `actions` and `notActions` at the scope and below; none: as before."""
    key = scope.lower().rstrip("/")
    if "actions" in body:
        world.permissions[key] = {
            **EVERYTHING,
            **{k: list(body.get(k, ())) for k in ("actions", "notActions")},
        }
    else:
        world.permissions.pop(key, None)
