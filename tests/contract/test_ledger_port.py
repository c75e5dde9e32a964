"""The contract of the port Ledger, kept by the fake and by the tables in the emulator alike."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.errors import Conflict, Stale
from reconciler.model import Ownership, Reservation, ServiceRef, Sharing
from reconciler.ports import ClusterState, HistoryEntry, Lease, Ledger, Publication
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from tests.fakes.ledger import MemoryLedger

Role = Literal["owner", "shares", "refused", "none"]
NOW = datetime(2026, 11, 21, 7, 0, 0, 123456, tzinfo=UTC)
GROUP = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/MC_prod/providers/Microsoft.Network"
)
PLS = f"{GROUP}/privateLinkServices/pls-a"
FRONTEND = f"{GROUP}/loadBalancers/kubernetes-internal/frontendIPConfigurations/a1"
WEB = ServiceRef("shop", "web", "11111111-1111-1111-1111-111111111111")

FULL = Ownership(
    cluster="prod",
    pls_id=PLS,
    frontend_id=FRONTEND,
    owner=WEB,
    resource_guid="g",
    claim_hash="c",
    alias="pls-a.guid.eastus.azure.privatelinkservice",
    state="Succeeded",
    nat_ips=("10.225.0.4", "10.225.0.5"),
    connections={"Approved": 2, "Pending": 1},
    written_hash="w",
    written_at=NOW,
    written_count=3,
    attempts=2,
    not_before=NOW + timedelta(minutes=2),
    last_error="Ärger: 'x' \"y\" \n😀",
    last_error_code="InUse",
)

ODD_NAMES = [
    "a|b", "\\", "#", "?", "%2F", "a%", "'", '"', "&", "a\tb\nc\rd", "\x00\x7f\x85x", "größe", "😀", "+", "a b",
    "!2f!", "~", ":", "x" * 3000, "x" * 3001, "|a" * 1500,
]  # fmt: skip
ODD_IDS = [f"{GROUP}/privateLinkServices/{name}" for name in ODD_NAMES]


@pytest.fixture(params=["memory", "azurite"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    made: Ledger = MemoryLedger()
    if request.param == "azurite":
        azurite: Storage = request.getfixturevalue("azurite")
        account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
        made = TableLedger(account, prefix=f"t{uuid.uuid4().hex}")
    made.create_tables()
    return made


def row(name: str, cluster: str = "prod") -> Ownership:
    return Ownership(cluster, f"{GROUP}/privateLinkServices/{name}", FRONTEND, WEB)


def share(service: str, role: Role = "shares", pls: str = PLS, cluster: str = "prod") -> Sharing:
    return Sharing(cluster, pls, FRONTEND, ServiceRef("shop", service, "u"), role)


def line(text: str, at: datetime = NOW, cluster: str = "prod") -> HistoryEntry:
    return HistoryEntry(cluster, at, "write", "Created", text)


def winners(attempts: list[Callable[[], object]]) -> int:
    """How many of these, begun at once, neither meet a conflict nor are stale."""

    def won(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except (Conflict, Stale):
            return False
        return True

    with ThreadPoolExecutor(len(attempts)) as pool:
        return sum(pool.map(won, attempts))


def test_an_empty_ledger_is_read_as_empty(ledger: Ledger) -> None:
    """The first run of a deployment; creating the tables again changes nothing."""
    ledger.create_tables()
    assert ledger.ownership("prod") == ()
    assert ledger.sharing("prod") == ()
    assert ledger.reservations([PLS]) == {}
    assert ledger.lease("prod") == Lease("prod")
    assert ledger.state("prod") == ClusterState("prod")
    assert ledger.states() == ()
    assert ledger.history("", 10) == ()


# Ownership


def test_an_ownership_row_is_read_as_it_was_written(ledger: Ledger) -> None:
    """Every field, times to the microsecond, and the emptiest row there can be."""
    bare = Ownership("prod", f"{PLS}-bare", "", ServiceRef("", ""))
    ledger.put_ownership([FULL, bare])
    assert ledger.ownership("prod") == (FULL, bare)


def test_a_row_written_twice_is_one_row(ledger: Ledger) -> None:
    """Also within one call, and in another case: ARM's ids compare without regard to it."""
    ledger.put_ownership([FULL])
    ledger.put_ownership(
        [FULL, replace(FULL, not_before=None), replace(FULL, pls_id=PLS.upper(), attempts=9)]
    )
    assert ledger.ownership("prod") == (replace(FULL, pls_id=PLS.upper(), attempts=9),)


def test_a_time_that_is_taken_back_is_gone(ledger: Ledger) -> None:
    """A row is replaced, not merged: else a back-off would never end."""
    ledger.put_ownership([FULL])
    ledger.put_ownership([replace(FULL, not_before=None)])
    assert ledger.ownership("prod")[0].not_before is None


def test_rows_are_sorted_and_of_their_cluster_only(ledger: Ledger) -> None:
    """More of them than one transaction takes, in two clusters with names alike."""
    mine = [row(f"p{i:03d}") for i in range(230)]
    ledger.put_ownership([*reversed(mine), row("p000", "prod-2"), row("p000", "PROD")])
    assert ledger.ownership("prod") == tuple(mine)
    assert ledger.ownership("prod-2") == (row("p000", "prod-2"),)
    ledger.forget_ownership("prod", [r.pls_id for r in mine])
    assert ledger.ownership("prod") == ()
    assert ledger.ownership("PROD") == (row("p000", "PROD"),)


@pytest.mark.parametrize("cluster", ["prod", "a|b/c#?", ""])
def test_any_id_is_kept_apart_from_any_other(ledger: Ledger, cluster: str) -> None:
    """Whatever stands in an id, it is one row, found again and forgotten by that id."""
    odd = [Ownership(cluster, pls_id, FRONTEND, WEB) for pls_id in ODD_IDS]
    ledger.put_ownership(odd)
    for pls_id in ODD_IDS:
        ledger.reserve(Reservation(pls_id, cluster or "c", "u", FRONTEND))
    assert ledger.ownership(cluster) == tuple(sorted(odd, key=lambda r: r.pls_id))
    assert len(ledger.reservations(ODD_IDS)) == len(ODD_IDS)
    ledger.forget_ownership(cluster, ODD_IDS[1:])
    assert [r.pls_id for r in ledger.ownership(cluster)] == ODD_IDS[:1]


def test_forgetting_what_is_not_there_forgets_the_rest(ledger: Ledger) -> None:
    """A run that died half-way forgets again; one missing row must not save the others."""
    ledger.put_ownership([row("a"), row("b")])
    ledger.forget_ownership("prod", [row("gone").pls_id, row("a").pls_id.upper(), row("also-gone").pls_id])
    ledger.forget_ownership("prod", [])
    assert ledger.ownership("prod") == (row("b"),)


# Reservations


def mine(**changes: str) -> Reservation:
    return replace(Reservation(PLS, "prod", "uid-1", FRONTEND), **changes)


def test_the_first_to_reserve_has_the_id(ledger: Ledger) -> None:
    """Whatever its case; the refusal names who has it."""
    ledger.reserve(mine())
    with pytest.raises(Conflict, match="cluster prod"):
        ledger.reserve(mine(cluster="dev", pls_id=PLS.upper()))
    assert ledger.reservations([PLS.upper(), row("other").pls_id]) == {PLS.lower(): mine(pls_id=PLS.lower())}


def test_one_s_own_reservation_is_confirmed_or_renewed(ledger: Ledger) -> None:
    """The same Service on another frontend, and another Service on the same frontend."""
    for own in (mine(), mine(), mine(frontend_id="f2"), mine(frontend_id="F2", service_uid="uid-2")):
        ledger.reserve(own)
        assert ledger.reservations([PLS]) == {PLS.lower(): replace(own, pls_id=PLS.lower())}


def test_another_service_on_another_frontend_is_refused(ledger: Ledger) -> None:
    """Also within one cluster; two unknown UIDs are not the same Service."""
    ledger.reserve(mine(service_uid=""))
    with pytest.raises(Conflict):
        ledger.reserve(mine(service_uid="", frontend_id="f2"))


def test_forgetting_frees_one_s_own_reservation_only(ledger: Ledger) -> None:
    """Another cluster's reservation outlives our row of the same id."""
    theirs = mine(pls_id=row("theirs").pls_id, cluster="dev")
    ledger.reserve(mine())
    ledger.reserve(theirs)
    ledger.forget_ownership("prod", [PLS, theirs.pls_id])
    assert list(ledger.reservations([PLS, theirs.pls_id])) == [theirs.pls_id.lower()]
    ledger.reserve(mine(cluster="dev"))


def test_of_many_clusters_at_once_one_reserves(ledger: Ledger) -> None:
    """The insert decides, not a look before it."""
    for name in "abc":
        pls_id = row(name).pls_id
        asks = [mine(pls_id=pls_id, cluster=f"c{i}", frontend_id=f"f{i}") for i in range(8)]
        assert winners([lambda ask=ask: ledger.reserve(ask) for ask in asks]) == 1  # type: ignore[misc]


# Sharing


def test_sharing_rows_become_what_they_shall_be(ledger: Ledger) -> None:
    """Added, changed, removed and left; sorted by PLS id and Service."""
    first = (share("a", "owner"), share("b"), share("c", "refused"))
    ledger.replace_sharing("prod", (), reversed(first))
    assert ledger.sharing("prod") == first
    then = (share("a"), share("c", "refused"), share("d", "none"), share("a", pls=f"{PLS}-2"))
    ledger.replace_sharing("prod", first, then)
    assert ledger.sharing("prod") == then
    ledger.replace_sharing("prod", then, ())
    assert ledger.sharing("prod") == ()


def test_replacing_sharing_touches_only_what_differs(ledger: Ledger) -> None:
    """What is the same before and after is not written, and other clusters' rows are not reached."""
    ledger.replace_sharing("dev", (), [share("x", cluster="dev")])
    ledger.replace_sharing("prod", [share("a")], [share("a"), share("b")])
    assert ledger.sharing("prod") == (share("b"),)
    assert ledger.sharing("dev") == (share("x", cluster="dev"),)


def test_a_sharing_row_that_is_gone_already_does_not_stop_the_others(ledger: Ledger) -> None:
    """Somebody deleted it by hand; more rows than one transaction takes."""
    many = tuple(share(f"s{i:03d}") for i in range(150))
    ledger.replace_sharing("prod", (), many)
    ledger.replace_sharing("prod", [*many, share("gone")], many[:1])
    assert ledger.sharing("prod") == many[:1]


# Leases


def test_a_lease_is_read_as_it_was_written(ledger: Ledger) -> None:
    """Every field; version and stamp come from the service."""
    times = [NOW + timedelta(seconds=i, microseconds=i) for i in range(5)]
    taken = Lease("prod", "me", times[0], 7, times[1], times[2], times[3], times[4], failures=2)
    written = ledger.write_lease(taken)
    assert replace(written, version="", stamp=None) == taken
    assert written.version
    assert written.stamp is not None
    assert written.stamp.tzinfo is not None
    assert ledger.lease("prod") == written
    assert ledger.lease("dev") == Lease("dev")


def test_a_lease_can_be_given_back(ledger: Ledger) -> None:
    """What is set to None is None, not as before."""
    held = ledger.write_lease(Lease("prod", "me", NOW, 1, NOW, NOW, NOW, NOW))
    free = ledger.write_lease(Lease("prod", fence=1, version=held.version))
    assert ledger.lease("prod") == free
    assert (free.until, free.wanted, free.covered, free.parked, free.not_before) == (None,) * 5


def test_stamps_rise_with_each_write(ledger: Ledger) -> None:
    """The watermark of a later run never lies before that of an earlier one."""
    lease, stamps = Lease("prod"), []
    for fence in range(10):
        lease = ledger.write_lease(replace(lease, fence=fence))
        stamps.append(lease.stamp)
    assert None not in stamps
    assert stamps == sorted(stamps, key=str)


def test_who_writes_a_lease_second_is_stale(ledger: Ledger) -> None:
    """With an old version, with none where there is a row; and the loser can read again and go on."""
    first = ledger.write_lease(Lease("prod", "a", NOW))
    second = ledger.write_lease(replace(first, wanted=NOW))
    for version in (first.version, ""):
        with pytest.raises(Stale):
            ledger.write_lease(replace(first, holder="b", version=version))
    assert ledger.lease("prod") == second
    assert ledger.write_lease(replace(ledger.lease("prod"), holder="b")).holder == "b"


@pytest.mark.parametrize("fresh", [True, False])
def test_of_many_workers_at_once_one_takes_the_lease(ledger: Ledger, fresh: bool) -> None:
    """On no row and on a row: two holders would write the same PLS twice."""
    for cluster in ("a", "b", "c"):
        seen = Lease(cluster) if fresh else ledger.write_lease(Lease(cluster))
        takes = [replace(seen, holder=f"w{i}", until=NOW) for i in range(8)]
        assert winners([lambda take=take: ledger.write_lease(take) for take in takes]) == 1  # type: ignore[misc]


# States


def test_a_state_is_read_as_it_was_written(ledger: Ledger) -> None:
    """Every field, with any text in it."""
    state = ClusterState(
        cluster="prod",
        identity="uid",
        offered="other",
        digest="d",
        paused=True,
        released="r",
        released_until=NOW,
        document="0123456789abcdef",
        publication=Publication("d", 3, NOW, "the topic does not answer"),
        denied={"status": NOW},
        sightings={"frontend-gone:/a/b#ö": NOW, "x": NOW - timedelta(days=1)},
        last_run={
            "at": "2026",
            "findings": [{"reason": "Refused", "sentence": "ü\x00 ' 😀"}],
            "n": 1.5,
            "e": None,
        },
    )
    written = ledger.write_state(state)
    assert replace(written, version="") == state
    assert ledger.state("prod") == written


def test_a_state_of_a_large_cluster_is_kept_whole(ledger: Ledger) -> None:
    """A thousand findings and sightings: more than a property holds."""
    state = ClusterState(
        "prod",
        sightings={f"frontend-gone:{GROUP}/{i}": NOW + timedelta(microseconds=i) for i in range(1000)},
        last_run={
            "findings": [{"sentence": f"Service shop/web-{i} is refused", "n": i} for i in range(1000)]
        },
    )
    written = ledger.write_state(state)
    assert ledger.state("prod") == written
    small = ledger.write_state(ClusterState("prod", version=written.version))
    assert ledger.state("prod") == small


def test_who_writes_a_state_second_is_stale(ledger: Ledger) -> None:
    """Else a person's pause would be lost to a run that read before it."""
    first = ledger.write_state(ClusterState("prod"))
    paused = ledger.write_state(replace(first, paused=True))
    for version in (first.version, ""):
        with pytest.raises(Stale):
            ledger.write_state(replace(first, digest="d", version=version))
    assert ledger.state("prod") == paused


def test_all_states_are_listed(ledger: Ledger) -> None:
    """Also those of clusters that are no longer configured, under the names they had."""
    written = tuple(ledger.write_state(ClusterState(name, digest=name)) for name in ("a|b", "dev", "prod"))
    assert ledger.states() == written


# History


def test_history_is_newest_first(ledger: Ledger) -> None:
    """By time, whatever the order of writing; of equal times the later line is the newer one."""
    ledger.add_history([line("2nd", NOW + timedelta(microseconds=1)), line("1st"), line("1st, later")])
    ledger.add_history([line("1st, last"), line("4th", NOW + timedelta(days=400))])
    ledger.add_history([])
    told = [entry.sentence for entry in ledger.history("prod", 10)]
    assert told == ["4th", "2nd", "1st, last", "1st, later", "1st"]
    assert [entry.sentence for entry in ledger.history("prod", 2)] == told[:2]


def test_history_of_one_cluster_and_of_all(ledger: Ledger) -> None:
    """A line that belongs to no cluster (a message nobody could read) is found among all."""
    ledger.add_history([line("a", cluster="prod"), line("b", cluster="dev"), line("c", cluster="")])
    assert [entry.sentence for entry in ledger.history("dev", 10)] == ["b"]
    assert [entry.sentence for entry in ledger.history("", 10)] == ["c", "b", "a"]


def test_a_line_is_read_as_it_was_written(ledger: Ledger) -> None:
    """Every field."""
    entry = HistoryEntry(
        "prod", NOW, "write", "Created", "sätze 😀", "shop/web", FRONTEND, PLS, "run-1", "accepted"
    )
    ledger.add_history([entry])
    assert ledger.history("prod", 1) == (entry,)


def test_many_long_lines_are_kept(ledger: Ledger) -> None:
    """More than one transaction holds, in number and in bytes; what is cut still tells what happened."""
    ledger.add_history([line(f"{i} " + "ß" * 40_000) for i in range(250)])
    found = ledger.history("prod", 1000)
    assert [int(entry.sentence.split()[0]) for entry in found] == list(range(249, -1, -1))
    assert all(entry.sentence.count("ß") > 1000 for entry in found)


def test_history_is_pruned_to_what_is_younger(ledger: Ledger) -> None:
    """A bounded number of lines at a time, and how many went; again and again it is the same."""
    ages = [timedelta(days=day) for day in (1, 89, 90, 91, 400)]
    ledger.add_history([line(str(age.days), NOW - age, cluster) for age in ages for cluster in ("prod", "")])
    cutoff = NOW - timedelta(days=90)
    assert [ledger.prune_history(cutoff, 3) for _ in range(3)] == [3, 1, 0]
    assert [entry.sentence for entry in ledger.history("prod", 10)] == ["1", "89", "90"]
    assert len(ledger.history("", 10)) == 6
