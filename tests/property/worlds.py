"""Strategies: annotations that people really write and worse, and whole clusters with their Azure side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from reconciler import arm_ids
from reconciler.annotations import (
    LB_DISABLE_FLOATING_IP,
    LB_INTERNAL,
    LB_INTERNAL_SUBNET,
    LB_IPV4,
    PIP_NAME,
    PLS_ANNOTATIONS,
    is_internal,
)
from reconciler.claims import Wish, read_claim
from reconciler.model import (
    CLUSTER_TAG,
    OWNER_TAG,
    STANDARD_PREFIX,
    Absent,
    Frontend,
    Limits,
    Ownership,
    Service,
    ServiceRef,
    Sharing,
    Subnet,
    Unknown,
)
from reconciler.tenancy import prefixes_on, uid_prefix
from tests.builders import (
    CONFIG,
    EXTERNAL,
    INTERNAL,
    configured,
    connection,
    frontend,
    load_balancers,
    network_id,
    pls_id,
    pls_json,
    service,
    subnet,
    subnet_id,
)
from tests.property.simulator import Simulation

KEYS = (
    *(STANDARD_PREFIX + name for name in PLS_ANNOTATIONS),
    LB_INTERNAL,
    LB_INTERNAL_SUBNET,
    LB_DISABLE_FLOATING_IP,
    LB_IPV4,
    PIP_NAME,
)
MANY_ADDRESSES = " ".join(f"10.224.0.{i}" for i in range(1, 100))
VALUES = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=st.characters(categories=["Cc", "Zs", "Zl", "Cf", "Nd"]), max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "true",
            " TRUE ",
            "*",
            "default",
            "pls-subnet",
            "1",
            "8",
            "9",
            "10.224.0.9",
            "a b",
            "\ud800",
        ]
    ),
    st.sampled_from(
        ["x" * 10_000, "1" * 10_000, " " * 10_000, "* " * 5_000, MANY_ADDRESSES, subnet_id("default")]
    ),
)
ANNOTATIONS: st.SearchStrategy[Mapping[str, str]] = st.dictionaries(
    st.sampled_from(KEYS), VALUES, max_size=12
)

SETTINGS = st.sampled_from(
    [
        *[{}] * 8,
        {"fqdns": "a b"},
        {"name": "one"},
        {"name": "two", "fqdns": "a"},
        {"fqdns": "a b", "visibility": "*"},
        {"proxy-protocol": "true"},
        {"ip-configuration-ip-address-count": "3", "ip-configuration-ip-address": "10.224.0.9"},
        {"ip-configuration-ip-address-count": "9"},
        {"ip-configuration-subnet": "pls-subnet"},
        {"ip-configuration-subnet": "missing"},
        {"ip-configuration-subnet": "dark"},
        {"resource-group": "elsewhere"},
        {"name": "one", "resource-group": "elsewhere"},
    ]
)
NAMES = ("a", "b", "c", "d", "e")


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    """A Service of this name, more often a plain one than not."""
    return service(
        name,
        asks=draw(st.sampled_from([True] * 6 + [False])),
        internal=draw(st.booleans()),
        age_days=draw(st.integers(1, 3)),
        settings=draw(SETTINGS),
        deleting=draw(st.sampled_from([False] * 5 + [True])),
        type=draw(st.sampled_from(["LoadBalancer"] * 8 + ["ClusterIP"])),
        ip_families=draw(st.sampled_from([("IPv4",)] * 8 + [("IPv6",), ("IPv4", "IPv6")])),
    )


@st.composite
def frontends(draw: st.DrawFn, known: tuple[Service, ...]) -> tuple[Frontend, ...]:
    """Frontends of these Services: mostly one each, or shared, a second one, of the wrong kind, a ghost's."""
    found: dict[str, Frontend] = {}
    for first in (*known, service("ghost")):
        lb = INTERNAL if is_internal(first) else EXTERNAL
        for balancer in draw(
            st.sampled_from([(lb,)] * 6 + [(), (lb, "second-internal"), (EXTERNAL, INTERNAL)])
        ):
            others = draw(st.sampled_from([[]] * 3 + [list(known[:2])] + [[service("ghost")]]))
            version = draw(st.sampled_from(["IPv4"] * 9 + ["IPv6"]))
            entry = frontend(first, *others, lb=balancer, ip_version=version)
            found[entry.id] = entry
    return tuple(found.values())


@st.composite
def link(draw: st.DrawFn, name: str, at: str, owners: list[str]) -> dict[str, Any]:
    """A PLS of anybody's on this frontend, in any state."""
    tag = draw(st.sampled_from(["kubernetes"] * 8 + [" Kubernetes ", "other", None]))
    states = ["Pending", "Approved", "Disconnected"]
    connected = draw(st.lists(st.sampled_from(states), max_size=2))
    group = draw(st.sampled_from(["MC_prod", "MC_prod", "elsewhere"]))
    return pls_json(
        name,
        at,
        None,
        group=group,
        tags={
            CLUSTER_TAG: tag,
            OWNER_TAG: draw(st.sampled_from([*owners, *owners, "shop/ghost", "x", None])),
        },
        provisioningState=draw(st.sampled_from(["Succeeded"] * 5 + ["Failed", "Updating", "Deleting"])),
        fqdns=draw(st.sampled_from([[], ["by-hand"], ["a", "b"]])),
        privateEndpointConnections=[
            connection(name, f"pe-{i}", s, group=group) for i, s in enumerate(connected)
        ],
    )


@st.composite
def links(
    draw: st.DrawFn, fronts: tuple[Frontend, ...], known: tuple[Service, ...]
) -> dict[str, dict[str, Any]]:
    """PLSs on some frontends (one on each at most, as ARM has it), on lost ones and on another cluster's."""
    lost = [f"{network_id('loadBalancers', INTERNAL)}/frontendIPConfigurations/lost{i}" for i in range(2)]
    standing = {f.id: f for f in fronts}
    theirs = [
        f"{network_id('loadBalancers', EXTERNAL, 'MC_dev')}/frontendIPConfigurations/f{i}" for i in range(2)
    ]
    found: dict[str, dict[str, Any]] = {}
    for at in [*standing, *lost, *theirs, ""]:
        if not draw(st.booleans()):
            continue
        names = [f"pls-{arm_ids.last_name(at)}" if at else "nameless", *(f"pls-{f.name}" for f in fronts)]
        name = draw(st.sampled_from([names[0], names[0], names[-1], "one", "two"]))
        on = prefixes_on(standing[at]) if at in standing else frozenset()
        near = [s.key for s in known if uid_prefix(s.uid) in on] or [s.key for s in known]
        item = draw(link(name, at, near))
        found.setdefault(item["id"].lower(), item)
    return found


@st.composite
def rows(
    draw: st.DrawFn,
    there: dict[str, dict[str, Any]],
    fronts: tuple[Frontend, ...],
    known: tuple[Service, ...],
) -> tuple[Ownership, ...]:
    """What a ledger may say: of PLSs that are there, of some that are not, of owners long gone."""
    owners = [*(s.ref for s in known), ServiceRef("shop", "ghost", "gone-uid"), ServiceRef("shop", "ghost")]
    ids = [*(item["id"] for item in there.values()), pls_id("one"), pls_id("vanished")]
    ids += [pls_id(f"pls-{f.name}") for f in fronts]
    places = [*(f.id for f in fronts), "/lost"]
    claims = [read_claim(s, STANDARD_PREFIX, "default").wish for s in known]
    hashes = ["", *(wish.hash for wish in claims if isinstance(wish, Wish))]
    chosen = draw(st.lists(st.sampled_from(ids), max_size=4, unique_by=str.lower))
    return tuple(
        Ownership(
            "prod",
            identifier,
            draw(st.sampled_from(places)),
            draw(st.sampled_from(owners)),
            resource_guid=draw(st.sampled_from(["", f"guid-{arm_ids.last_name(identifier)}"])),
            claim_hash=draw(st.sampled_from(hashes)),
            state=draw(st.sampled_from(["", "Succeeded"])),
        )
        for identifier in sorted(chosen, key=str.lower)
    )


@st.composite
def worlds(draw: st.DrawFn) -> Simulation:
    """A cluster, its Azure side and its ledger, consistent or not."""
    known = tuple(draw(services(n)) for n in NAMES[: draw(st.integers(0, 5))])
    fronts = draw(frontends(known))
    there = draw(links(fronts, known))
    views: dict[str, Subnet | Absent | Unknown] = {
        subnet_id(name).lower(): subnet(name, draw(st.sampled_from(["Disabled", "Disabled", "Enabled"])))
        for name in ("default", "pls-subnet")
    }
    views[subnet_id("missing").lower()] = Absent.NOT_FOUND
    views[subnet_id("dark").lower()] = Unknown("403")
    shared = [Sharing("prod", i["id"], "f", s.ref, "shares") for i in there.values() for s in known[:1]]
    return Simulation(
        services=known,
        load_balancers=load_balancers(fronts, draw(st.sampled_from(["Succeeded", "Succeeded", "Updating"]))),
        links=there,
        views=views,
        config=configured(
            mode=draw(st.sampled_from(["sync", "sync", "upsert-only"])),
            in_tree=draw(st.sampled_from(["absent", "active"])),
            owner_succession=draw(st.sampled_from(["none", "oldest"])),
            tags=draw(st.sampled_from([{}, {"env": "prod"}])),
            pls_resource_group=draw(st.sampled_from([CONFIG.pls_resource_group, "elsewhere"])),
        ),
        limits=Limits(subnet_policy=draw(st.sampled_from(["disable", "disable", "report"]))),
        ownership=draw(rows(there, fronts, known)),
        sharing=tuple(draw(st.sampled_from([[], shared]))),
    )
