"""The doctor's looks at one cluster: its API, and its part of Azure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from reconciler import arm_ids, doctor
from reconciler.annotations import RESOURCE_GROUP, asks
from reconciler.doctor import Diagnosis
from reconciler.doctor_permissions import Need, further_needs, permitted, place_of, remedy
from reconciler.doctor_rounds import Look, Patient
from reconciler.errors import UNUSABLE, Denied, NotFound, OutsideError
from reconciler.model import ClusterConfig, PrivateLinkService, WriteBack
from reconciler.planning import needs as wanted
from reconciler.ports import Cluster

READER_MANIFEST = "kubectl apply -f infra/rbac/services-read.yaml (with the identity's object id)"
_STATUS = (("patch", "services/status"), ("create", "events"), ("patch", "events"))
WRITES: Mapping[WriteBack, tuple[tuple[str, str], ...]] = {
    "off": (),
    "status": _STATUS,
    "annotations": (*_STATUS, ("patch", "services")),
}
ACCESS = "correct `api` of this cluster in CLUSTERS; docs/reference/settings.md tells what each type takes"
OUT_OF_REACH = (
    "kubectl get --raw /version with the same address: is the cluster up, and may this network reach it (authorized "
    "IP ranges, private endpoint, DNS)?"
)
MANIFESTS = {
    "services": "kubectl apply -f infra/rbac/services-annotate.yaml (with the identity's object id)",
    "services/status": "kubectl apply -f infra/rbac/services-status.yaml (with the identity's object id)",
}
MANIFESTS["events"] = MANIFESTS["services/status"]


def cluster_looks(patient: Patient, config: ClusterConfig) -> list[Look]:
    """Everything about one cluster; of one that is not resolved, why."""
    if config.unresolved:
        return [Look("clusters", config.name, partial(_unresolved, config))]
    return [
        Look("clusters", config.name, partial(_answers, patient, config), READER_MANIFEST, OUT_OF_REACH),
        *_azure(patient, config),
    ]


def _unresolved(config: ClusterConfig) -> Iterator[Diagnosis]:
    yield Diagnosis(
        "clusters", config.name, "failed", config.unresolved, "do as the sentence says, then run this again"
    )


def _answers(patient: Patient, config: ClusterConfig) -> Iterator[Diagnosis]:
    """Reach, identity, Services, and what may be written back."""
    if config.access.aks:
        places = f"load balancers in {config.load_balancer_resource_group}, subnet {config.vnet_name}/{config.default_subnet}"
        name = arm_ids.last_name(config.access.aks)
        yield Diagnosis("clusters", config.name, "ok", f"the AKS cluster {name} was read: {places}")
    cluster = patient.cluster_of(config)
    try:
        identity = cluster.identity()
    except Denied as error:
        if error.code != UNUSABLE:
            raise
        yield Diagnosis("clusters", config.name, "failed", str(error), ACCESS)
        return
    accepted = patient.ledger.state(config.name).identity if patient.ledger else ""
    if accepted and accepted != identity:
        yield Diagnosis(
            "clusters",
            config.name,
            "failed",
            f"another cluster answers: its identity is {identity}, it was {accepted}",
            f"if it was rebuilt, or its Service default/kubernetes deleted: plsctl accept-identity {identity} "
            f"--cluster {config.name}",
        )
    services = cluster.list_services()
    asking = sum(service.live and asks(service, config.pls_prefix) for service in services)
    sentence = f"answers as {identity}: {len(services)} Services of type LoadBalancer, {asking} ask for a PLS"
    yield Diagnosis("clusters", config.name, "ok", sentence)
    yield from _reviewed(config, cluster, config.write_back or patient.write_back)
    for subnet_id in wanted.subnets(config, services):
        if not arm_ids.same(subnet_id, _default_subnet(config)):
            yield from _subnet(patient, config, subnet_id)
    for need in further_needs(config, patient.limits.subnet_policy, services):
        yield from _rights(patient, config, need)


def _rights(patient: Patient, config: ClusterConfig, need: Need) -> Iterator[Diagnosis]:
    """Where one Service wants something: what fails there must not hide the rest, nor be the cluster's fault."""
    try:
        yield permitted(patient.rights.at(need.scope), need)
    except NotFound as error:
        if arm_ids.parse(need.scope) is None:  # of a subnet it has been told
            sentence = f"it is not there ({error})"
            yield Diagnosis("permissions", place_of(need.scope), "failed", sentence, _no_group(config, need))
    except OutsideError as error:
        advice = remedy(need.scope) if isinstance(error, Denied) else "try again; look at the network between"
        yield Diagnosis("permissions", place_of(need.scope), "failed", str(error), advice)


def _no_group(config: ClusterConfig, need: Need) -> str:
    group = arm_ids.last_name(need.scope)
    return (
        f"correct {config.pls_prefix}{RESOURCE_GROUP} of the Services of {config.name} that name it (plsctl status "
        f"--cluster {config.name}), or: az group create --subscription {config.subscription} -n {group} "
        f"-l {config.location}"
    )


def _reviewed(config: ClusterConfig, cluster: Cluster, write_back: WriteBack) -> Iterator[Diagnosis]:
    """What of the results may be written back to Services, as far as it is wanted."""
    may, wished = getattr(cluster, "may", None), WRITES[write_back]
    if may is None or config.mode == "plan" or not wished:
        return
    lacking = [(verb, of) for verb, of in wished if not may(verb, of)]
    if lacking:
        said = " and to ".join(f"{verb} {of}" for verb, of in lacking)
        sentence = f"Services are not told everything: not allowed to {said}"
        remedies = dict.fromkeys(MANIFESTS[of] for _, of in lacking)
        yield Diagnosis("clusters", config.name, "warning", sentence, "; ".join(remedies))
    else:
        sentence = "Services can be told what becomes of them (status, Events)"
        yield Diagnosis("clusters", config.name, "ok", sentence)


# -- a cluster's part of Azure


def _azure(patient: Patient, config: ClusterConfig) -> list[Look]:
    return [
        Look(
            "reading Azure",
            f"{config.name}: load balancers",
            partial(_balancers, patient, config),
            remedy(_group(config)),
        ),
        Look("reading Azure", f"{config.name}: Private Link Services", partial(_links, patient, config)),
        Look("reading Azure", f"{config.name}: addresses", partial(_addresses, patient, config)),
        Look(
            "network",
            f"{config.name}: subnet {config.default_subnet}",
            partial(_subnet, patient, config, _default_subnet(config)),
        ),
    ]


def _group(config: ClusterConfig) -> str:
    return arm_ids.group_id(config.subscription, config.load_balancer_resource_group)


def _balancers(patient: Patient, config: ClusterConfig) -> Iterator[Diagnosis]:
    group = config.load_balancer_resource_group
    balancers = patient.azure.list_load_balancers(config.subscription, group)
    subject = f"{config.name}: load balancers"
    if not balancers:
        yield Diagnosis(
            "reading Azure",
            subject,
            "warning",
            f"there is none in resource group {group}: no Service has one yet, or loadBalancerResourceGroup is another",
            f"az network lb list --subscription {config.subscription} -o table",
        )
        return
    fronts = sum(len(balancer.frontends) for balancer in balancers)
    yield Diagnosis("reading Azure", subject, "ok", f"{len(balancers)} with {fronts} frontends in {group}")
    yield from doctor.limits(config.name, balancers, _all_links(patient, config))


def _all_links(patient: Patient, config: ClusterConfig) -> tuple[PrivateLinkService, ...]:
    try:
        return patient.azure.list_private_link_services(config.subscription)
    except Denied:
        return patient.azure.list_private_link_services_in(config.subscription, config.pls_resource_group)


def _links(patient: Patient, config: ClusterConfig) -> Iterator[Diagnosis]:
    subject, group = f"{config.name}: Private Link Services", config.pls_resource_group
    try:
        found = patient.azure.list_private_link_services(config.subscription)
        yield Diagnosis("reading Azure", subject, "ok", f"{len(found)} in the subscription")
    except Denied:
        found = patient.azure.list_private_link_services_in(config.subscription, group)
        sentence = (
            f"only resource groups can be read ({len(found)} in {group}); those elsewhere cannot be seen"
        )
        scope = f"/subscriptions/{config.subscription}"
        advice = f"give privateLinkServices/read on the subscription: az role assignment create --role Reader --scope {scope} --assignee OBJECT_ID"
        yield Diagnosis("reading Azure", subject, "warning", sentence, advice)


def _addresses(patient: Patient, config: ClusterConfig) -> Iterator[Diagnosis]:
    public = patient.azure.list_public_ips(config.subscription, config.load_balancer_resource_group)
    cards = patient.azure.list_nat_addresses(config.subscription, config.pls_resource_group)
    sentence = f"{len(public)} public IP addresses, {len(cards)} network interfaces"
    yield Diagnosis("reading Azure", f"{config.name}: addresses", "ok", sentence)


def _default_subnet(config: ClusterConfig) -> str:
    return arm_ids.subnet(
        config.network_subscription, config.vnet_resource_group, config.vnet_name, config.default_subnet
    )


def _subnet(patient: Patient, config: ClusterConfig, subnet_id: str) -> Iterator[Diagnosis]:
    try:
        seen = patient.azure.get_subnet(subnet_id)
    except NotFound as error:
        subject = f"{config.name}: subnet {arm_ids.last_name(subnet_id)}"
        advice = (
            f"az network vnet subnet list --subscription {config.network_subscription} "
            f"-g {config.vnet_resource_group} --vnet-name {config.vnet_name} -o table"
        )
        yield Diagnosis("network", subject, "failed", f"it is not there ({error})", advice)
    else:
        yield from doctor.subnet(config.name, seen, patient.limits.subnet_policy == "report")
