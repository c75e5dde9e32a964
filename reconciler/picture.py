"""The picture of a cluster as JSON values: frontends, their Private Link Services and who uses them. Pure.

Made of the ledger's rows, so that status and the status document show the same. A Private Link Service has ``id``,
``name``, ``alias``, ``state``, ``frontend``, ``owner``, ``sharers``, ``refused``, ``natIps``, ``connections`` (number by
state), ``lastError`` and ``notBefore``; a frontend ``id``, ``name``, ``loadBalancer``, ``privateLinkService`` and
``services`` (each with ``service`` and ``role``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler import arm_ids
from reconciler.model import Ownership, Sharing
from reconciler.rendering import instant


def picture(
    rows: Iterable[Ownership], sharing: Iterable[Sharing], findings: Iterable[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """``frontends`` and ``privateLinkServices``. ``findings`` are as JSON; they tell who was refused."""
    rows, tenants = tuple(rows), defaultdict[str, list[Sharing]](list)
    for share in sharing:
        tenants[arm_ids.key(share.pls_id)].append(share)
    return {
        "frontends": _frontends(rows, tenants, findings),
        "privateLinkServices": [_private_link_service(row, tenants[arm_ids.key(row.pls_id)]) for row in rows],
    }


def _frontends(
    rows: Iterable[Ownership], sharing: Mapping[str, list[Sharing]], findings: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The frontends that have, or are to have, a PLS, and those of Services that were refused one."""
    links = {arm_ids.key(row.frontend_id): row for row in rows if row.frontend_id}
    ids = {key: row.frontend_id for key, row in links.items()}
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    for finding in findings:
        frontend, service = str(finding.get("frontend", "")), str(finding.get("service", ""))
        if frontend and service and finding.get("severity") == "error":
            key = arm_ids.key(frontend)
            ids.setdefault(key, frontend)
            roles[key][service] = "refused"
    for key, row in links.items():
        roles[key] |= {s.service.key: s.role for s in sharing.get(arm_ids.key(row.pls_id), ())}
    return [_frontend(ids[key], links.get(key), roles[key]) for key in sorted(ids)]


def _frontend(frontend_id: str, row: Ownership | None, roles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": frontend_id,
        "name": arm_ids.last_name(frontend_id),
        "loadBalancer": arm_ids.last_name(arm_ids.load_balancer_of(frontend_id)),
        "privateLinkService": row.pls_id if row else "",
        "services": [{"service": name, "role": role} for name, role in sorted(roles.items())],
    }


def _private_link_service(row: Ownership, tenants: Iterable[Sharing]) -> dict[str, Any]:
    return {
        "id": row.pls_id,
        "name": arm_ids.last_name(row.pls_id),
        "alias": row.alias,
        # Written down before ARM was asked; ARM said no.
        "state": "Refused" if row.last_error and not row.resource_guid else row.state,
        "frontend": row.frontend_id,
        "owner": row.owner.key,
        "sharers": [s.service.key for s in tenants if s.role == "shares"],
        "refused": [s.service.key for s in tenants if s.role == "refused"],
        "natIps": list(row.nat_ips),
        "connections": dict(row.connections),
        "lastError": row.last_error,
        "notBefore": instant(row.not_before),
    }
