"""Facts read from the servers and the ledgers, in the simulation's words; and what of them two stages must agree on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from reconciler.model import Ownership, Reservation, Sharing
from reconciler.ports import Ledger
from sandbox.up_client import PERSON
from tests.simulation.documents import frontend_of, group_of, present
from tests.simulation.looking import frontends_of
from tests.simulation.over_http_people import People
from tests.simulation.over_http_words import Words
from tests.simulation.over_http_world import CLUSTERS
from tests.simulation.stage import ClusterFact, Facts, FrontendFact, ServiceFact, WriteFact

Json = dict[str, Any]


def facts_of(people: People, ledger: Ledger) -> Facts:
    """Everything at one moment."""
    words = people.words
    links = [words.told(link) for link in people.resources("privateLinkServices")]
    return Facts(
        links={p["id"].lower(): p for p in links},
        clusters={name: _cluster(people, ledger, name) for name in CLUSTERS},
        reservations=_reservations(people, ledger),
        writes=product_writes(people.users.requests()),
    )


def product_writes(requests: Iterable[Json]) -> tuple[WriteFact, ...]:
    """The writes of PLSs and subnets that neither a person nor a provider made."""
    return tuple(
        WriteFact(0.0, "product", r["method"], r["path"], r["status"] in (200, 201, 202, 204))
        for r in requests
        if r["method"] in ("PUT", "DELETE")
        and ("/subnets/" in r["path"] or "/privatelinkservices/" in r["path"].lower())
        and r["user"] != PERSON
    )


def _cluster(people: People, ledger: Ledger, name: str) -> ClusterFact:
    words = people.words
    return ClusterFact(
        name=name,
        group=f"MC_{name}",
        services=_services(people, name),
        frontends=_frontends(people, name),
        ownership=tuple(_ownership(words, row) for row in ledger.ownership(name)),
        sharing=tuple(_sharing(words, row) for row in ledger.sharing(name)),
        findings=tuple(words.told(f) for f in ledger.state(name).last_run.get("findings", ())),
    )


def _ownership(words: Words, row: Ownership) -> Ownership:
    owner = replace(row.owner, uid=words.text(row.owner.uid))
    return replace(row, pls_id=words.text(row.pls_id), frontend_id=words.text(row.frontend_id), owner=owner)


def _sharing(words: Words, row: Sharing) -> Sharing:
    service = replace(row.service, uid=words.text(row.service.uid))
    return replace(
        row, pls_id=words.text(row.pls_id), frontend_id=words.text(row.frontend_id), service=service
    )


def _services(people: People, name: str) -> tuple[ServiceFact, ...]:
    return tuple(
        ServiceFact(
            service,
            people.words.text(document["metadata"]["uid"]),
            people.settings[name][service],
            bool(document["metadata"].get("deletionTimestamp")),
        )
        for service, document in sorted(people.services(name).items())
    )


def _frontends(people: People, name: str) -> tuple[FrontendFact, ...]:
    mine = (raw for raw in people.resources("loadBalancers") if group_of(raw["id"]) == f"mc_{name}")
    return tuple(fact for raw in mine for fact in frontends_of(people.words.told(raw)))


def _reservations(people: People, ledger: Ledger) -> tuple[Reservation, ...]:
    """All there are; their ids are read from the table itself, as the port asks for ids."""
    with people.users.tables() as tables:
        rows = list(tables.get_table_client("ownership").list_entities())
    ids = {str(row["plsId"]) for row in rows if str(row["PartitionKey"]).startswith("reserved")}
    found = ledger.reservations(sorted(ids)).values()
    return tuple(replace(r, pls_id=people.words.text(r.pls_id)) for r in found)


def agreed(facts: Facts) -> Json:
    """What two stages must come to by the same steps: without ids that are given out, times and attempts.

    UIDs become names: how often a Service was made anew is a matter of how fast its predecessor went.
    """
    text = json.dumps(_agreed(facts))
    for cluster in facts.clusters.values():
        for service in cluster.services:
            text = text.replace(service.form, f"(form of {service.name})")
    found: Json = _in_order(json.loads(text))
    return found


def _in_order(value: Any) -> Any:
    """Lists sorted: none of them has an order that means anything."""
    if isinstance(value, dict):
        return {key: _in_order(item) for key, item in value.items()}
    return sorted(map(_in_order, value), key=json.dumps) if isinstance(value, list) else value


def _agreed(facts: Facts) -> Json:
    return {
        "links": {key: _link(link) for key, link in facts.links.items()},
        "clusters": {name: _of(cluster) for name, cluster in facts.clusters.items()},
        "reservations": sorted((r.pls_id.lower(), r.cluster) for r in facts.reservations),
    }


def _link(link: Any) -> Json:
    return {
        "frontend": frontend_of(link).lower(),
        "state": link["properties"]["provisioningState"],
        "settings": [sorted(map(str, v)) if isinstance(v, frozenset) else v for v in present(link)],
        "tags": dict(sorted((link.get("tags") or {}).items())),
    }


def _of(cluster: ClusterFact) -> Json:
    return {
        "services": [(s.name, s.deleting) for s in cluster.services],
        "frontends": sorted((f.id.lower(), f.internal, sorted(f.forms)) for f in cluster.frontends),
        "ownership": sorted(
            (r.pls_id.lower(), r.frontend_id.lower(), r.owner.key, r.state) for r in cluster.ownership
        ),
        "sharing": sorted((r.pls_id.lower(), r.service.key, r.role) for r in cluster.sharing),
        "findings": sorted({(str(f.get("reason")), str(f.get("service") or "")) for f in cluster.findings}),
    }
