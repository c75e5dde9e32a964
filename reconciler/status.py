"""The state of everything, told from the ledgers alone: no call to Azure or to a cluster.

``version``, ``poison`` (messages that failed for good and name no cluster: ``count`` and ``last``), ``clusters``: each with ``name``, ``configured``, ``mode``, ``paused``, ``identity``,
``offeredIdentity``, ``lastRun``, ``held``, ``heldDigest``, ``findings``, ``frontends``,
``privateLinkServices`` and ``poison``. A Private Link Service has ``id``, ``name``, ``alias``, ``state``, ``frontend``,
``owner``, ``sharers``, ``refused``, ``natIps``, ``connections`` (number by state), ``lastError`` and
``notBefore``; a frontend ``id``, ``name``, ``loadBalancer``, ``privateLinkService`` and ``services`` (each
with ``service`` and ``role``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import Any

from reconciler import arm_ids, poison
from reconciler.model import ClusterConfig, Ownership, Sharing
from reconciler.ports import ClusterState, HistoryEntry, Ledger
from reconciler.rendering import VERSION, instant

NOBODY = ""  # the state row that counts messages which name no cluster
APART = ("findings", "held", "heldDigest", "digest")


def status(
    ledger: Ledger,
    configs: Mapping[str, ClusterConfig],
    cluster: str = "",
    pool: Executor | None = None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The status of one cluster, or of all that are configured or remembered, read on ``pool``'s threads."""
    read = [ledger.state(NOBODY), ledger.state(cluster)] if cluster else ledger.states()
    states = {s.cluster: s for s in read}
    nobody = states.pop(NOBODY, ClusterState(NOBODY))
    names = [cluster] if cluster else sorted({*states, *configs})

    def one(name: str) -> dict[str, Any]:
        state = states.get(name, ClusterState(name))
        return _cluster(name, configs.get(name), state, ledger) | {"poison": poison.shown(state, now)}

    clusters = list(pool.map(one, names) if pool else map(one, names))
    return {"version": VERSION, "clusters": clusters, "poison": poison.shown(nobody, now)}


def _cluster(name: str, config: ClusterConfig | None, state: ClusterState, ledger: Ledger) -> dict[str, Any]:
    run, rows = state.last_run, ledger.ownership(name)
    sharing: dict[str, list[Sharing]] = defaultdict(list)
    for share in ledger.sharing(name):
        sharing[arm_ids.key(share.pls_id)].append(share)
    return {
        "name": name,
        "configured": config is not None,
        "mode": config.mode if config else "",
        "paused": state.paused,
        "identity": state.identity,
        "offeredIdentity": state.offered,
        "lastRun": {k: v for k, v in run.items() if k not in APART} or None,
        "held": _objects(run, "held"),
        "heldDigest": run.get("heldDigest", ""),
        "findings": _objects(run, "findings"),
        "frontends": _frontends(rows, sharing, _objects(run, "findings")),
        "privateLinkServices": [_private_link_service(row, sharing[arm_ids.key(row.pls_id)]) for row in rows],
    }


def _objects(run: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of a run's report; the row may have been edited by hand."""
    items = run.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


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


def entry_json(entry: HistoryEntry) -> dict[str, Any]:
    """One line of history."""
    return {
        "at": instant(entry.at),
        "cluster": entry.cluster,
        "kind": entry.kind,
        "reason": entry.reason,
        "result": entry.result,
        "sentence": entry.sentence,
        "service": entry.service,
        "frontend": entry.frontend_id,
        "privateLinkService": entry.pls_id,
        "run": entry.run,
    }


def status_text(report: Mapping[str, Any]) -> str:
    """The status as a table for people."""
    lines = [line for cluster in report["clusters"] for line in _cluster_lines(cluster)]
    return "\n".join([*lines, *_poison_lines(report["poison"])])


def _poison_lines(told: Mapping[str, Any]) -> Iterator[str]:
    if told["count"]:
        yield f"  ! messages that failed for good within a day: {told['count']}, the last at {told['last']}"


def _cluster_lines(cluster: Mapping[str, Any]) -> Iterator[str]:
    run = cluster["lastRun"]
    flags = [cluster["mode"] or "not configured"] + (["paused"] if cluster["paused"] else [])
    seen = f"last run {run['began']}, {run['seconds']} s, {run['reason']}" if run else "never looked at"
    yield f"{cluster['name']} ({', '.join(flags)}): {seen}"
    yield from _table([_row(pls) for pls in cluster["privateLinkServices"]])
    for pls in cluster["privateLinkServices"]:
        if pls["lastError"]:
            again = f"; tried again after {pls['notBefore']}" if pls["notBefore"] else ""
            yield f"  ! {pls['name']}: {pls['lastError']}{again}"
    for write in cluster["held"]:
        yield f"  held ({cluster['heldDigest']}): {write['sentence']}"
    for finding in cluster["findings"]:
        yield f"  ! {finding['severity']} {finding['reason']}: {finding['sentence']}"
    yield from _poison_lines(cluster["poison"])


HEADER = ("PRIVATE LINK SERVICE", "STATE", "OWNER", "SHARERS", "NAT IPS", "CONNECTIONS", "ALIAS")


def _row(pls: Mapping[str, Any]) -> tuple[str, ...]:
    connections = ", ".join(f"{count} {state}" for state, count in pls["connections"].items())
    return (
        pls["name"],
        pls["state"],
        pls["owner"],
        ", ".join(pls["sharers"]),
        ", ".join(pls["natIps"]),
        connections,
        pls["alias"],
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    table = [HEADER, *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    for row in table:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
