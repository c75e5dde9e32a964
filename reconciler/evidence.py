"""What is read besides the lists: which Services are proven gone, and addresses that only network interfaces tell."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from reconciler import arm_ids
from reconciler.errors import RetryLater
from reconciler.model import Proof, ServiceRef, Unknown
from reconciler.ports import Azure, Cluster
from reconciler.side_by_side import Reader


def nat_addresses(
    interfaces: Iterable[tuple[str, str]], azure: Azure, reader: Reader
) -> dict[str, tuple[str, ...]]:
    """What the network interfaces say, by lower-case PLS id: a list per resource group, however many they are."""
    wanted = {arm_ids.key(pls_id): arm_ids.key(interface) for pls_id, interface in interfaces}
    parsed = (arm_ids.parse(interface) for interface in wanted.values())
    places = sorted({(p.subscription, p.resource_group) for p in parsed if p})
    views = reader.each(places, lambda place: azure.list_nat_addresses(*place))
    found = {key: a for view in views.values() if isinstance(view, dict) for key, a in view.items()}
    return {pls_id: found[nic] for pls_id, nic in wanted.items() if nic in found}


def proofs(
    refs: Iterable[ServiceRef], cluster: Cluster, reader: Reader, identity: str
) -> dict[ServiceRef, Proof]:
    """What the names prove; nothing, unless the cluster that was listed still answers after them."""
    in_order = sorted(refs, key=lambda ref: (ref.key, ref.uid))
    found = reader.each(in_order, partial(_proof, cluster))
    same = not found or not isinstance(reader.start(partial(_still, cluster, identity)).result(), Unknown)
    return {ref: p if same and isinstance(p, Proof) else Proof.UNKNOWN for ref, p in found.items()}


def _still(cluster: Cluster, identity: str) -> None:
    """Raises RetryLater where another cluster answers than the one with this identity."""
    answers = cluster.identity()
    if answers != identity:
        raise RetryLater(
            f"another cluster came to answer during the look: the UID of default/kubernetes was {identity}, "
            f"then {answers}; nothing is taken for deleted"
        )


def _proof(cluster: Cluster, ref: ServiceRef) -> Proof:
    """What reading the Service by its name proves: 404, another UID, another type, or a deletion."""
    found = cluster.get_service(ref.namespace, ref.name)
    if found is None or found.type != "LoadBalancer" or (ref.uid and found.uid != ref.uid):
        return Proof.GONE
    return Proof.DELETING if found.deleting else Proof.PRESENT
