"""The state of everything, told from the ledgers alone: no call to Azure or to a cluster.

``version``, ``poison`` (messages that failed for good and name no cluster: ``count`` and ``last``), ``problems``
(sentences about what is amiss with the configuration as a whole), ``clusters``: each with ``name``, ``configured``,
``mode``, ``paused``, ``identity``, ``offeredIdentity``, ``lastRun``, ``held``, ``heldDigest``, ``findings``, ``poison``,
and ``frontends`` and ``privateLinkServices`` of :mod:`reconciler.picture`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Any

from reconciler import poison
from reconciler.lenient import objects
from reconciler.model import ClusterConfig
from reconciler.picture import picture
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
    problems: Sequence[str] = (),
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
    told = {"poison": poison.shown(nobody, now), "problems": list(problems)}
    return {"version": VERSION, "clusters": clusters, **told}


def _cluster(name: str, config: ClusterConfig | None, state: ClusterState, ledger: Ledger) -> dict[str, Any]:
    run = state.last_run
    findings = objects(run, "findings")
    return {
        "name": name,
        "configured": config is not None,
        "mode": config.mode if config else "",
        "paused": state.paused,
        "identity": state.identity,
        "offeredIdentity": state.offered,
        "lastRun": {k: v for k, v in run.items() if k not in APART} or None,
        "held": objects(run, "held"),
        "heldDigest": run.get("heldDigest", ""),
        "findings": findings,
        **picture(ledger.ownership(name), ledger.sharing(name), findings),
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
    problems = (f"  ! {problem}" for problem in report["problems"])
    return "\n".join([*lines, *_poison_lines(report["poison"]), *problems])


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
