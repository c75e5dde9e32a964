"""Strategies for steps: what people do every day, what they do seldom, and what goes wrong."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.simulation import steps as s
from tests.simulation.clusters import SERVICES, SHARED_GROUP

CLUSTERS = st.sampled_from(("prod", "dev"))
NAMES = st.sampled_from(SERVICES)
PICKS = st.integers(0, 5)
PROCESSES = st.integers(0, 1)
CALLS = st.integers(1, 40)
ADDRESS = "10.224.0.50"

PLAIN = st.builds(
    s.Settings,
    fqdns=st.sampled_from([(), (), ("a",), ("a", "b")]),
    count=st.sampled_from([None, None, None, 2]),
    proxy=st.sampled_from([False, False, True]),
    visibility=st.sampled_from([(), ("*",), ("sub-1", "sub-2")]),
)
ODD = st.builds(
    s.Settings,
    asks=st.sampled_from([True, True, True, False]),
    internal=st.sampled_from([True, True, False]),
    floating=st.booleans(),
    address=st.sampled_from(["", ADDRESS, ADDRESS]),
    name=st.sampled_from([None, None, "one", "two"]),
    group=st.sampled_from([None, None, None, SHARED_GROUP]),
    subnet=st.sampled_from([None, None, "pls-subnet", "missing"]),
    count=st.sampled_from([None, None, 1, 3, 9]),
    static=st.sampled_from([(), (), ("10.224.7.1",), ("10.224.7.1", "10.224.7.2")]),
    fqdns=st.sampled_from([(), ("a",)]),
    auto_approval=st.sampled_from([(), ("sub-1",)]),
    type=st.sampled_from(["LoadBalancer"] * 9 + ["ClusterIP"]),
)
SHARERS = st.builds(s.Settings, address=st.just(ADDRESS), fqdns=st.sampled_from([(), (), ("a",)]))
SETTINGS = st.one_of(PLAIN, SHARERS, ODD)

APPLY = st.builds(s.ApplyService, CLUSTERS, NAMES, SETTINGS)
DELETE = st.builds(s.DeleteService, CLUSTERS, NAMES, st.sampled_from([False, False, False, True]))
WAIT = st.builds(s.Wait, st.sampled_from([5, 30, 120, 400, 1200, 4000]))
CONNECT = st.builds(
    s.Connect, CLUSTERS, PICKS, st.sampled_from(["Approved", "Approved", "Pending", "Disconnected"])
)
HANDS = (
    st.builds(
        s.EditPls,
        CLUSTERS,
        PICKS,
        st.sampled_from(
            [
                "fqdns",
                "proxy",
                "visibility",
                "nat-ips",
                "owner-gone",
                "owner-other",
                "cluster-gone",
                "foreign-tag",
            ]
        ),
    ),
    st.builds(s.DeletePls, CLUSTERS, PICKS),
    CONNECT,
    st.builds(s.MakeForeign, CLUSTERS, PICKS, st.sampled_from(["theirs", "one", "two"])),
    st.builds(s.EnablePolicy, CLUSTERS, st.sampled_from(["default", "pls-subnet"])),
    st.builds(s.Resync, CLUSTERS),
)
BY_HAND = st.one_of(*HANDS)
MOMENTS: tuple[tuple[s.Port, str], ...] = (
    ("azure", "list_load_balancers"),
    ("azure", "list_private_link_services"),
    ("azure", "get_private_link_service"),
    ("azure", "get_private_link_service"),
    ("azure", "get_private_link_service"),
    ("azure", "put_private_link_service"),
    ("azure", "delete_private_link_service"),
    ("cluster", "list_services"),
    ("cluster", "get_service"),
    ("ledger", "put_ownership"),
    ("ledger", "write_state"),
    ("ledger", "write_lease"),
    ("queue", "send"),
)
MEANWHILE: st.SearchStrategy[s.Step] = st.builds(
    lambda moment, step: s.Meanwhile(moment[0], moment[1], step),
    st.sampled_from(MOMENTS),
    st.one_of(APPLY, DELETE, *HANDS),
)
EVENTS = st.builds(
    s.Events, st.sampled_from(["lost", "doubled", "reordered"]), st.sampled_from([30, 300, 1800])
)
AZURE_WRITES = ["put_private_link_service", "put_subnet", "delete_private_link_service", "delete_connection"]
AZURE_READS = [
    "list_load_balancers",
    "list_private_link_services",
    "get_private_link_service",
    "get_subnet",
    "list_nat_addresses",
]
LEDGER = [
    "put_ownership",
    "forget_ownership",
    "replace_sharing",
    "reserve",
    "write_lease",
    "write_state",
    "add_history",
    "ownership",
    "state",
    "lease",
    "reservations",
    "*",
]
ANY_WAY = ["throttled", "busy", "down", "lost", "cut"]
TIMES = st.sampled_from([1, 1, 2, 4, 9])
FAULTS = st.one_of(
    st.builds(
        s.Fault,
        st.just("azure"),
        st.sampled_from(AZURE_WRITES),
        st.sampled_from([*ANY_WAY, "denied", "rejected", "stale"]),
        TIMES,
    ),
    st.builds(
        s.Fault, st.just("azure"), st.sampled_from(AZURE_READS), st.sampled_from([*ANY_WAY, "denied"]), TIMES
    ),
    st.builds(
        s.Fault,
        st.just("cluster"),
        st.sampled_from(["list_services", "identity", "get_service", "digest"]),
        st.sampled_from(["down", "denied", "throttled"]),
        TIMES,
    ),
    st.builds(
        s.Fault, st.just("ledger"), st.sampled_from(LEDGER), st.sampled_from(["down", "lost", "cut"]), TIMES
    ),
    st.builds(s.Fault, st.just("queue"), st.just("send"), st.sampled_from(["down", "lost", "cut"]), TIMES),
    st.builds(s.FailOperations, st.sampled_from([1, 2, 3, 200])),
    st.builds(
        s.Fault,
        st.just("azure"),
        st.sampled_from(AZURE_WRITES),
        st.sampled_from(["busy", "cut", "rejected", "stale"]),
        st.just(200),
    ),
)
VIEWS = st.one_of(
    st.builds(s.EmptyList, CLUSTERS, st.sampled_from([60, 600, 2000]), st.booleans()),
    st.builds(s.Imposter, CLUSTERS, st.sampled_from([60, 600, 2000])),
)
PROCESS = st.one_of(
    st.builds(s.Crash, PROCESSES, CALLS, st.booleans()),
    st.builds(s.Crash, PROCESSES, CALLS, st.booleans()),
    st.builds(s.Freeze, PROCESSES, CALLS, st.sampled_from([15, 130, 700])),
    st.builds(s.Jump, PROCESSES, st.sampled_from([0, -3, 3, -90, 3600])),
)
# Just before a write, above all; until before the lease ends, while it is taken over, and long after.
STALLED: tuple[tuple[s.Port, str], ...] = (
    ("azure", "get_private_link_service"),
    ("azure", "get_private_link_service"),
    ("azure", "get_private_link_service"),
    ("azure", "put_private_link_service"),
    ("cluster", "list_services"),
    ("ledger", "reserve"),
    ("ledger", "put_ownership"),
    ("ledger", "lease"),
    ("ledger", "write_lease"),
    ("queue", "send"),
)
STALL: st.SearchStrategy[s.Step] = st.builds(
    lambda moment, seconds: s.Stall(moment[0], moment[1], seconds),
    st.sampled_from(STALLED),
    st.sampled_from([15, 110, 126, 127, 130, 700]),
)
HIDE = st.builds(s.HideBalancers, CLUSTERS, st.sampled_from([60, 600, 2000]))
# A write of a subnet replaces it whole.
TEMPLATE = st.builds(
    lambda cluster: s.Meanwhile("azure", "put_subnet", s.EnablePolicy(cluster, "default")), CLUSTERS
)


def mix(*kinds: st.SearchStrategy[s.Step]) -> st.SearchStrategy[s.Step]:
    """One of these, each as often: ``one_of`` would draw each kind of fault as often as a Service."""
    return st.sampled_from(kinds).flatmap(lambda kind: kind)


STEPS = mix(
    *[APPLY] * 4,
    DELETE,
    *[WAIT] * 2,
    *[BY_HAND] * 2,
    *[MEANWHILE] * 2,
    EVENTS,
    *[FAULTS] * 3,
    VIEWS,
    *[PROCESS] * 2,
    st.one_of(STALL, HIDE, TEMPLATE),
)

NAMED = st.builds(
    s.ApplyService,
    CLUSTERS,
    NAMES,
    st.builds(s.Settings, name=st.sampled_from(["one", "two"]), group=st.sampled_from([None, SHARED_GROUP])),
)
# They share, leave each other and come back, while others are connected.
TENANTS = st.builds(
    s.ApplyService,
    CLUSTERS,
    st.sampled_from(SERVICES[:3]),
    st.builds(s.Settings, address=st.just(ADDRESS), internal=st.sampled_from([True, True, False])),
)
# Two Private Link Services, which people edit while we write them.
HERE = st.just("prod")
EDIT_HERE: st.SearchStrategy[s.Happening] = st.one_of(
    st.builds(
        s.EditPls,
        HERE,
        PICKS,
        st.sampled_from(["fqdns", "proxy", "visibility", "owner-other", "foreign-tag"]),
    ),
    st.builds(s.DeletePls, HERE, PICKS),
)
DRIFT: st.SearchStrategy[s.Step] = st.one_of(
    *[st.builds(s.ApplyService, HERE, st.sampled_from(SERVICES[:2]), PLAIN)] * 3,
    *[st.builds(lambda step: s.Meanwhile("azure", "get_private_link_service", step), EDIT_HERE)] * 3,
    EDIT_HERE,
    st.builds(s.DeleteService, HERE, st.sampled_from(SERVICES[:2])),
    *[WAIT] * 2,
)
# Of everything something; and histories of few kinds of steps, in which they meet more often.
THEMES: tuple[st.SearchStrategy[s.Step], ...] = (
    STEPS,
    mix(*[APPLY] * 3, DELETE, *[WAIT] * 2, *[MEANWHILE] * 4, *[PROCESS] * 3, *[STALL] * 2),
    st.one_of(*[TENANTS] * 4, *[DELETE] * 2, *[WAIT] * 2, *[CONNECT] * 2, HIDE),
    DRIFT,
    st.one_of(*[NAMED] * 4, *[DELETE] * 2, *[WAIT] * 2, MEANWHILE, FAULTS),
)


def histories(length: int) -> st.SearchStrategy[list[s.Step]]:
    """Of a fixed length, so that they are long; in full, unless steps are left out to shrink them."""

    def drawn(theme: st.SearchStrategy[s.Step]) -> st.SearchStrategy[list[s.Step | None]]:
        return st.lists(st.one_of(st.none(), *[theme] * 29), min_size=length, max_size=length)

    every = st.sampled_from(range(len(THEMES))).flatmap(lambda number: drawn(THEMES[number]))
    return every.map(lambda steps: [step for step in steps if step])
