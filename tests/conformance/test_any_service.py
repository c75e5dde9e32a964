"""On any Service and any Private Link Service on its frontend: what we plan, and what the simulated peer decides.

Two readings of the same controller, each held to the recorded scenarios; this finds where they part between those.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from reconciler import reading
from reconciler.annotations import LB_INTERNAL, LB_INTERNAL_SUBNET
from reconciler.model import CLUSTER_TAG
from reconciler.plan import Plan, PutPls, Severity
from sandbox.cloud_provider import link_decisions
from sandbox.cloud_provider.options import ArmAccess, ClusterAccess, ProviderOptions, SyncError
from tests.builders import GROUP, SUBSCRIPTION, decide, frontend, pls_json, service, subnet_id
from tests.conformance.test_peer_vectors import comparable

RUN = settings(max_examples=1000, deadline=None, database=None, derandomize=True)
NOWHERE = Path("nowhere")
Json = dict[str, Any]
PEER = ProviderOptions(
    name="prod",
    arm=ArmAccess("", NOWHERE, "", ""),
    cluster=ClusterAccess("", NOWHERE, ""),
    subscription=SUBSCRIPTION,
    location="eastus",
    resource_group=GROUP,
)

BLANK = st.sampled_from(["", "", " ", "\n", "\t"])
ADDRESSES = ["10.224.0.9", "10.224.0.8", "10.224.1.7"]


def padded(*values: str) -> st.SearchStrategy[str]:
    """One of these, blanks around it or not."""
    return st.tuples(BLANK, st.sampled_from(values), BLANK).map("".join)


def listed(*entries: str) -> st.SearchStrategy[str]:
    """A list as people write it: in any order, an entry twice, other separators than a single space."""
    parts = st.lists(st.tuples(st.sampled_from(entries), st.sampled_from([" ", " ", "  ", "\n ", "\t", ","])))
    return parts.map(lambda found: "".join(part for pair in found[:4] for part in pair))


SETTINGS: dict[str, st.SearchStrategy[str]] = {
    "name": padded("mine", "mine", "MINE", "other"),
    "ip-configuration-subnet": st.sampled_from(["default", "pls-subnet", " ", ""]),
    "ip-configuration-ip-address-count": padded("1", "2", "3", "8", "9", "0", "+2", "02", "x", ""),
    "ip-configuration-ip-address": listed(*ADDRESSES, "fd00::1"),
    "fqdns": listed("a.b", "A.b"),
    "proxy-protocol": padded("true", "True", "1", ""),
    "visibility": listed("s1", "S1", "*"),
    "auto-approval": listed("s1", "S1", "*"),
}
SUBSCRIPTIONS = st.fixed_dictionaries(
    {"subscriptions": st.lists(st.sampled_from(["s1", "S1", "*"]), max_size=2)}
)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "fqdns": st.lists(st.sampled_from(["a.b", "A.b"]), max_size=2),
        "enableProxyProtocol": st.booleans(),
        "visibility": SUBSCRIPTIONS,
        "autoApproval": SUBSCRIPTIONS,
        "provisioningState": st.just("Failed"),
        "tags": st.fixed_dictionaries(
            {},
            optional={"team": st.just("blue"), CLUSTER_TAG: st.sampled_from([" Kubernetes ", "other", None])},
        ),
    },
)
OWNERS = st.sampled_from(["shop/web", "shop/web", "SHOP/Web", "shop/other"])


@st.composite
def claims(draw: st.DrawFn) -> dict[str, str]:
    """Few at a time: the more there are, the likelier one of them refuses the Service whatever the others say."""
    create = draw(st.sampled_from(["true", "true", "true", " TRUE\n", "yes", ""]))
    names = draw(st.lists(st.sampled_from(sorted(SETTINGS)), unique=True, max_size=3))
    return {"create": create, **{name: draw(SETTINGS[name]) for name in names}}


def nat_ips(static: Iterable[str], dynamic: int = 0, primary: int = 0, subnet: str = "default") -> list[Json]:
    """NAT IPs as ARM answers them; ``primary`` is a place in the list."""
    found: list[tuple[str, Json]] = [("Static", {"privateIPAddress": address}) for address in static]
    found += [("Dynamic", {})] * dynamic
    shared = {"privateIPAddressVersion": "IPv4", "subnet": {"id": subnet_id(subnet)}}
    return [
        {
            "name": f"n{at}",
            "properties": {**shared, "privateIPAllocationMethod": how, "primary": at == primary, **more},
        }
        for at, (how, more) in enumerate(found)
    ]


@st.composite
def addresses(draw: st.DrawFn) -> list[Json]:
    """One is primary, the static ones differ."""
    static = draw(st.permutations(ADDRESSES))[: draw(st.integers(0, 2))]
    dynamic = draw(st.integers(0 if static else 1, 2))
    primary = draw(st.integers(0, len(static) + dynamic - 1))
    return nat_ips(static, dynamic, primary, draw(st.sampled_from(["default", "pls-subnet"])))


def ours(plan: Plan) -> tuple[list[tuple[str, Any]], bool]:
    """What we write, and whether the Service is refused."""
    writes = (*plan.writes, *plan.after)
    puts = [(w.pls_id.lower(), comparable(w.body)) for w in writes if isinstance(w, PutPls)]
    assert len(puts) == len(writes)
    return puts, any(f.severity is Severity.ERROR and f.service for f in plan.findings)


def peers(document: Any, frontend_id: str, there: Any) -> tuple[list[tuple[str, Any]], bool]:
    """What the simulated controller writes, and whether it refuses the Service."""
    try:
        write = link_decisions.decide(PEER, document, frontend_id, there)
    except SyncError:
        return [], True
    return [(write.pls_id.lower(), comparable(write.body))] if write else [], False


@RUN
@given(
    claims(),
    st.sampled_from([{}, {}, {}, {LB_INTERNAL_SUBNET: "pls-subnet"}, {LB_INTERNAL: "True"}]),
    st.none() | st.tuples(OWNERS, PROPERTIES, st.none() | addresses()),
)
@example(
    {
        "create": "true",
        "ip-configuration-ip-address-count": "2",
        "ip-configuration-ip-address": "10.224.0.9 10.224.0.8",
    },
    {},
    ("shop/web", {}, nat_ips(["10.224.0.9", "10.224.0.8"], primary=1)),
)
@example({"create": "true", "fqdns": "a.b a.b"}, {}, ("shop/web", {"fqdns": ["a.b"]}, None))
@example({"create": "true", "proxy-protocol": ""}, {}, ("shop/other", {}, None))
def test_we_write_and_refuse_what_the_in_tree_controller_does(
    wanted: dict[str, str], more: dict[str, str], seen: tuple[str, Json, Any] | None
) -> None:
    """Body for body: who moves from it sees nothing rewritten, and nothing refused that was not."""
    web = service(settings=wanted, annotations=more)
    on = frontend(web)
    there = pls_json("mine", on.id, seen[0], **copy.deepcopy(seen[1])) if seen else None
    if there and seen and seen[2]:
        there["properties"]["ipConfigurations"] = seen[2]
    link = reading.private_link_service(copy.deepcopy(there)) if there else None
    document = {
        "metadata": {"namespace": web.namespace, "name": web.name, "annotations": dict(web.annotations)}
    }
    result = ours(decide(web, frontends=[on], links=[link] if link else []))
    event(f"writes {len(result[0])}, refused {result[1]}, there {bool(there)}")
    assert result == peers(document, on.id, there)
