"""What people and other versions do to the tables, and what the ledger makes of it."""

import json
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import EdmType, EntityProperty, TableClient, TableEntity, UpdateMode

from reconciler.adapters import table_keys as keys
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.errors import Rejected, Stale
from reconciler.model import Ownership, Reservation, ServiceRef, Sharing
from reconciler.ports import ClusterState, HistoryEntry, Lease
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from tests.contract.forwarder import forwarding

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
PLS = "/subscriptions/s/resourceGroups/MC_prod/providers/Microsoft.Network/privateLinkServices/pls-a"
WEB = ServiceRef("shop", "web", "u")
ROW = Ownership(
    "prod", PLS, "/f", WEB, nat_ips=("10.0.0.4",), connections={"Approved": 1}, written_at=NOW, attempts=4
)
SHARE = Sharing("prod", PLS, "/f", WEB, "owner")
GARBAGE: tuple[Any, ...] = (
    "garbage",
    "",
    -1,
    2.5,
    True,
    NOW,
    b"\x00\xff",
    EntityProperty(2**60, EdmType.INT64),
)


MARKER = ("|schema", "schema")
TABLES = ("ownership", "sharing", "leases", "clusters", "history")


class Hands:
    """The tables as a person with a storage browser has them."""

    def __init__(self, account: StorageAccount, prefix: str) -> None:
        self.account, self.prefix = account, prefix

    def table(self, name: str) -> TableClient:
        return self.account.tables.get_table_client(f"{self.prefix}{name}")

    def rows(self, name: str) -> list[Any]:
        """All but the table's marker."""
        return [row for row in self.table(name).list_entities() if row["PartitionKey"] != MARKER[0]]

    def everything(self, name: str) -> list[tuple[Any, Any]]:
        """What stands in a table, byte for byte: ETag and properties."""
        return [(row.metadata["etag"], dict(row)) for row in self.table(name).list_entities()]

    def edit(self, name: str, **properties: Any) -> None:
        """Change properties of every row of a table."""
        for row in self.rows(name):
            self.table(name).upsert_entity({**row, **properties}, mode=UpdateMode.MERGE)


@pytest.fixture
def hands(azurite: Storage) -> Hands:
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    return Hands(account, f"t{uuid.uuid4().hex}")


@pytest.fixture
def ledger(hands: Hands) -> TableLedger:
    made = TableLedger(hands.account, hands.prefix)
    made.create_tables()
    return made


def test_a_person_finds_a_row_by_its_names(ledger: TableLedger, hands: Hands) -> None:
    """Cluster, PLS id and what belongs to it are plain text in a storage browser."""
    ledger.put_ownership([ROW])
    (row,) = hands.rows("ownership")
    assert (row["PartitionKey"], row["RowKey"]) == ("prod", PLS.lower().replace("/", "|"))
    assert (row["plsId"], row["ownerNamespace"], row["ownerName"]) == (PLS, "shop", "web")
    assert (row["schema"], row["natIps"], row["connections"]) == (1, '["10.0.0.4"]', '{"Approved":1}')


def test_properties_nobody_knows_are_ignored(ledger: TableLedger, hands: Hands) -> None:
    """A note that somebody left in the row."""
    ledger.put_ownership([ROW])
    ledger.replace_sharing("prod", (), [SHARE])
    for table in ("ownership", "sharing"):
        hands.edit(table, note="mine", number=EntityProperty(2**60, EdmType.INT64))
    assert ledger.ownership("prod") == (ROW,)
    assert ledger.sharing("prod") == (SHARE,)


def test_an_edited_property_costs_only_itself(ledger: TableLedger, hands: Hands) -> None:
    """What is memory of the past starts anew, the rest of the row stays."""
    ledger.put_ownership([ROW])
    hands.edit(
        "ownership", natIps="10.0.0.4", connections="[1", writtenAt="yesterday", attempts="many", alias=7
    )
    (read,) = ledger.ownership("prod")
    assert (read.pls_id, read.owner) == (PLS, WEB)
    assert (read.nat_ips, read.connections, read.written_at, read.attempts, read.alias) == (
        (),
        {},
        None,
        0,
        "",
    )


@pytest.mark.parametrize("count", [-10, "-10", 2**31 - 1, EntityProperty(2**60, EdmType.INT64), "9" * 20])
def test_a_count_that_is_none_starts_anew(ledger: TableLedger, hands: Hands, count: Any) -> None:
    """Counts are indices into delays, and go back into a column of 32 bits one higher."""
    ledger.put_ownership([ROW])
    hands.edit("ownership", writtenCount=count, attempts=count)
    (read,) = ledger.ownership("prod")
    assert (read.written_count, read.attempts) == (0, 0)
    ledger.put_ownership([replace(read, attempts=read.attempts + 1)])


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "9999-01-01T00:00:00Z", "0001-01-01"]
)
def test_a_time_at_an_end_of_time_is_none(ledger: TableLedger, hands: Hands, time: str) -> None:
    """A wait that is added to it would fall off, and with it the run."""
    ledger.put_ownership([ROW])
    ledger.write_state(ClusterState("prod", sightings={"a": NOW}))
    hands.edit("ownership", writtenAt=time, notBefore=time)
    hands.edit("clusters", releasedUntil=time, sightings=json.dumps({"a": time, "b": NOW.isoformat()}))
    (read,) = ledger.ownership("prod")
    assert (read.written_at, read.not_before) == (None, None)
    assert (ledger.state("prod").released_until, ledger.state("prod").sightings) == (None, {"b": NOW})


def test_what_people_type_is_understood(ledger: TableLedger, hands: Hands) -> None:
    """Storage browsers make text of times and numbers."""
    ledger.put_ownership([ROW])
    hands.edit("ownership", notBefore="2026-11-21T08:00:00+01:00", attempts="5")
    (read,) = ledger.ownership("prod")
    assert (read.not_before, read.attempts) == (NOW, 5)


@pytest.mark.parametrize("value", GARBAGE)
def test_whatever_stands_in_a_row_the_ledger_can_be_read(
    ledger: TableLedger, hands: Hands, value: Any
) -> None:
    """Every property of every row of every table, all at once; and writing mends it."""
    before = ledger.write_lease(Lease("prod", "me", NOW, 3))
    ledger.write_state(ClusterState("prod", "id", sightings={"a": NOW}, last_run={"findings": []}))
    ledger.put_ownership([ROW])
    ledger.replace_sharing("prod", (), [SHARE])
    ledger.reserve(Reservation(PLS, "prod", "u", "/f"))
    ledger.add_history([HistoryEntry("prod", NOW, "write", "Created", "x")])
    for table in ("ownership", "sharing", "leases", "clusters", "history"):
        for row in hands.rows(table):
            hands.table(table).upsert_entity(
                {k: v if k.endswith("Key") else value for k, v in row.items() if k != "schema"}
            )
    assert ledger.ownership("prod") == ()
    assert ledger.sharing("prod") == ()
    assert ledger.reservations([PLS]) == {}
    assert [state.cluster for state in ledger.states()] == ["prod"]
    assert all(isinstance(entry, HistoryEntry) for entry in ledger.history("prod", 5))
    broken = ledger.lease("prod")
    assert broken.version not in ("", before.version)
    ledger.put_ownership([ROW])
    ledger.replace_sharing("prod", (), [SHARE])
    ledger.reserve(Reservation(PLS, "dev", "u2", "/f2"))
    assert ledger.ownership("prod") == (ROW,)
    assert ledger.sharing("prod") == (SHARE,)
    assert ledger.write_lease(Lease("prod", fence=4, version=broken.version)) == ledger.lease("prod")
    state = ledger.write_state(ClusterState("prod", "new", version=ledger.state("prod").version))
    assert ledger.state("prod") == state


def test_a_row_that_contradicts_its_key_is_no_row(ledger: TableLedger, hands: Hands) -> None:
    """Else it would speak for another PLS, and could not be forgotten by its id."""
    ledger.put_ownership([ROW])
    ledger.replace_sharing("prod", (), [SHARE])
    hands.edit("ownership", plsId=PLS + "-other")
    hands.edit("sharing", serviceName="other")
    assert ledger.ownership("prod") == ()
    assert ledger.sharing("prod") == ()


def test_a_row_about_another_kind_of_resource_is_no_row(ledger: TableLedger, hands: Hands) -> None:
    """It would be read by its id, and a public IP has the provider's tags and a guid like a PLS."""
    ledger.put_ownership([ROW])
    (row,) = hands.rows("ownership")
    other = PLS.replace("privateLinkServices", "publicIPAddresses")
    hands.table("ownership").create_entity({**row, "plsId": other, "RowKey": keys.pls_key(other)})
    assert len(hands.rows("ownership")) == 2
    assert ledger.ownership("prod") == (ROW,)


def test_a_pause_that_cannot_be_read_is_a_pause(ledger: TableLedger, hands: Hands) -> None:
    """Somebody wanted it to stop; the words for no are read as no."""
    ledger.write_state(ClusterState("prod"))
    for typed, paused in (
        ("yes please", True),
        ("true", True),
        ("False", False),
        ("0", False),
        (1, True),
        ("", False),
    ):
        hands.edit("clusters", paused=typed)
        assert ledger.state("prod").paused is paused


def test_rows_somebody_deleted_are_written_anew(ledger: TableLedger, hands: Hands) -> None:
    """All of them: the ledgers are caches."""
    lease = ledger.write_lease(Lease("prod", "me"))
    ledger.put_ownership([ROW])
    for table in ("ownership", "leases"):
        for row in hands.rows(table):
            hands.table(table).delete_entity(row)
    assert ledger.ownership("prod") == ()
    assert ledger.lease("prod") == Lease("prod")
    with pytest.raises(Exception, match="leases"):
        ledger.write_lease(lease)
    assert ledger.write_lease(Lease("prod", "me")) == ledger.lease("prod")


def filled(ledger: TableLedger) -> None:
    """A row in every table, and more than a few of those that are written many at once."""
    many = [replace(ROW, pls_id=f"{PLS}-{i}") for i in range(6)]
    ledger.put_ownership([ROW, *many])
    ledger.reserve(Reservation(PLS, "prod", "u", "/f"))
    shares = [replace(SHARE, service=ServiceRef("shop", f"s{i}", "u"), role="shares") for i in range(6)]
    ledger.replace_sharing("prod", (), [SHARE, *shares])
    ledger.write_lease(Lease("prod"))
    ledger.write_state(ClusterState("prod"))
    ledger.add_history([HistoryEntry("prod", NOW, "write", "Created", "x")])


ADDED = HistoryEntry("prod", NOW, "write", "Created", "added")
READS: dict[str, Callable[[TableLedger], object]] = {
    "ownership": lambda ledger: ledger.ownership("prod"),
    "sharing": lambda ledger: ledger.sharing("prod"),
    "leases": lambda ledger: ledger.lease("prod"),
    "clusters": lambda ledger: ledger.states(),
    "history": lambda ledger: ledger.history("prod", 1),
}
NEWER: list[tuple[str, str, Callable[[TableLedger], object]]] = [
    *((table, "read", read) for table, read in READS.items()),
    ("ownership", "read reservations", lambda ledger: ledger.reservations([PLS])),
    ("ownership", "put", lambda ledger: ledger.put_ownership([replace(ROW, attempts=5)])),
    (
        "ownership",
        "put many",
        lambda ledger: ledger.put_ownership(
            [replace(ROW, pls_id=f"{PLS}-{i}", attempts=5) for i in range(6)]
        ),
    ),
    ("ownership", "forget", lambda ledger: ledger.forget_ownership("prod", [PLS])),
    (
        "ownership",
        "forget many",
        lambda ledger: ledger.forget_ownership("prod", [f"{PLS}-{i}" for i in range(6)]),
    ),
    ("ownership", "reserve", lambda ledger: ledger.reserve(Reservation(PLS, "prod", "u", "/f2"))),
    ("sharing", "change", lambda ledger: ledger.replace_sharing("prod", (), [replace(SHARE, role="none")])),
    ("sharing", "remove", lambda ledger: ledger.replace_sharing("prod", [SHARE], ())),
    ("leases", "take", lambda ledger: ledger.write_lease(Lease("prod", "me"))),
    ("clusters", "read one", lambda ledger: ledger.state("prod")),
    ("clusters", "write", lambda ledger: ledger.write_state(ClusterState("prod", "other"))),
    ("history", "prune", lambda ledger: ledger.prune_history(NOW + timedelta(days=1), 10)),
]


@pytest.mark.parametrize(
    ("table", "call"), [(t, c) for t, _, c in NEWER], ids=[f"{t}-{n}" for t, n, _ in NEWER]
)
def test_a_row_of_a_newer_schema_is_refused_and_stays_as_it_is(
    ledger: TableLedger, hands: Hands, table: str, call: Callable[[TableLedger], object]
) -> None:
    """Of a version that was rolled back, or is just being rolled out: half of what it meant would be worse.

    Whoever has not read the row (a worker that read before the newer one wrote) is refused all the same.
    """
    filled(ledger)
    hands.edit(table, schema=2, meaning="new")
    before = hands.everything(table)
    with pytest.raises((Rejected, Stale)):
        call(ledger)
    assert hands.everything(table) == before


@pytest.mark.parametrize("table", TABLES)
def test_the_refusal_names_table_row_and_way_out(ledger: TableLedger, hands: Hands, table: str) -> None:
    """For the person who rolled back."""
    filled(ledger)
    hands.edit(table, schema=2)
    with pytest.raises(
        Rejected, match=f"table {hands.prefix}{table}, row prod / .*schema 2 is newer than 1.*up"
    ):
        READS[table](ledger)


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.put_ownership([replace(ROW, attempts=5)]),
        lambda ledger: ledger.forget_ownership("prod", [PLS]),
    ],
    ids=["put", "forget"],
)
def test_a_newer_row_written_in_the_last_moment_stays_as_it_is(
    ledger: TableLedger, hands: Hands, monkeypatch: pytest.MonkeyPatch, call: Callable[[TableLedger], object]
) -> None:
    """Between the read and the write: the write names the version it read, and is refused at the second look."""
    ledger.put_ownership([ROW])
    table = ledger._ownership
    look = table._present
    late: list[tuple[Any, Any]] = []

    def looked(partition: str, keys: Sequence[str]) -> dict[str, TableEntity]:
        found = look(partition, keys)
        if not late:
            hands.edit("ownership", schema=2, meaning="new")
            late.extend(hands.everything("ownership"))
        return found

    monkeypatch.setattr(table, "_present", looked)
    with pytest.raises(Rejected, match="schema 2 is newer"):
        call(ledger)
    assert hands.everything("ownership") == late


def test_new_lines_of_history_do_not_touch_newer_ones(ledger: TableLedger, hands: Hands) -> None:
    """They have keys of their own; what an older version has to tell is not lost."""
    filled(ledger)
    hands.edit("history", schema=2)
    before = hands.everything("history")
    ledger.add_history([ADDED])
    after = hands.everything("history")
    assert [row for row in after if row in before] == before
    assert len(after) == len(before) + 2


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_a_newer_schema_is_refused_as_a_whole(
    ledger: TableLedger, hands: Hands, table: str
) -> None:
    """Its rows may have other keys: to this version it would look empty, and every name free."""
    filled(ledger)
    marker = {"PartitionKey": MARKER[0], "RowKey": MARKER[1], "schema": 2}
    hands.table(table).upsert_entity(marker)
    before = hands.everything(table)
    refusal = f"table {hands.prefix}{table}, row .*schema 2 is newer"
    with pytest.raises(Rejected, match=refusal):
        TableLedger(hands.account, hands.prefix).create_tables()
    for call in (c for t, _, c in NEWER if t == table):
        reader = TableLedger(hands.account, hands.prefix, missing_is_empty=True)
        with pytest.raises((Rejected, Stale)):
            call(reader)
    assert hands.everything(table) == before


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_marked_with_its_schema(ledger: TableLedger, hands: Hands, table: str) -> None:
    """Also one that an earlier version made, without a marker or with an older one; a marker is no row."""
    assert hands.table(table).get_entity(*MARKER)["schema"] == 1
    hands.table(table).delete_entity(*MARKER)
    TableLedger(hands.account, hands.prefix).create_tables()
    hands.table(table).upsert_entity({"PartitionKey": MARKER[0], "RowKey": MARKER[1], "schema": 0})
    TableLedger(hands.account, hands.prefix).create_tables()
    assert hands.table(table).get_entity(*MARKER)["schema"] == 1
    assert ledger.states() == ()
    assert ledger.history("", 10) == ()


def test_a_row_that_changes_all_the_time_is_written_once_it_rests(ledger: TableLedger, hands: Hands) -> None:
    """A write is under the ETag of what it replaces, and tried again where somebody else was faster."""
    ledger.put_ownership([ROW])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: ledger.put_ownership([replace(ROW, attempts=i)]), range(4)))
    assert ledger.ownership("prod")[0].attempts in range(4)


def test_pruning_takes_the_oldest_lines_of_every_cluster(ledger: TableLedger, hands: Hands) -> None:
    """Of all partitions, whichever cluster is still configured; so many at a time, and never a younger one."""
    old = [
        HistoryEntry(f"c{i % 3}" if i % 4 else "", NOW - timedelta(days=91, seconds=i), "write", "R", "old")
        for i in range(30)
    ]
    young = [HistoryEntry("c0", NOW - timedelta(days=90), "write", "R", "young")]
    ledger.add_history([*old, *young])
    cutoff = NOW - timedelta(days=90)
    assert [ledger.prune_history(cutoff, 12) for _ in range(4)] == [12, 12, 6, 0]
    assert [row["sentence"] for row in hands.rows("history")] == ["young", "young"]


def test_pruning_goes_on_where_another_stopped(ledger: TableLedger, hands: Hands) -> None:
    """The cluster's own line is gone already, or somebody prunes at the same time."""
    ledger.add_history([HistoryEntry("prod", NOW, "write", "R", str(i)) for i in range(40)])
    for row in hands.rows("history")[:7]:
        if row["PartitionKey"] == "prod":
            hands.table("history").delete_entity(row)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: ledger.prune_history(NOW + timedelta(days=1), 100), range(3)))
    assert hands.rows("history") == []


def test_another_cluster_s_newer_reservation_stops_nobody(ledger: TableLedger, hands: Hands) -> None:
    """Reservations of a resource group share a partition; only those asked for matter."""
    ledger.reserve(Reservation(f"{PLS}-new", "new", "u", "/f"))
    hands.edit("ownership", schema=2)
    ledger.reserve(Reservation(PLS, "prod", "u", "/f"))
    assert list(ledger.reservations([PLS])) == [PLS.lower()]
    with pytest.raises(Rejected):
        ledger.reserve(Reservation(f"{PLS}-new", "new", "u", "/f"))


@pytest.mark.parametrize(("asked", "queries"), [(1, 0), (3, 0), (30, 1)])
def test_few_reservations_are_looked_up_and_many_searched(azurite: Storage, asked: int, queries: int) -> None:
    """Each event of a PLS asks for one, in a resource group that may hold those of a thousand."""
    endpoint = azurite.endpoints["Table"]
    with forwarding(endpoint) as forwarder:
        through = azurite.connection_string.replace(endpoint, forwarder.url)
        account = StorageAccount(StorageSettings(connection_string=through))
        ledger = TableLedger(account, f"t{uuid.uuid4().hex}")
        ledger.create_tables()
        ledger.reserve(Reservation(PLS, "prod", "u", "/f"))
        forwarder.forget()
        assert list(ledger.reservations([PLS, *(f"{PLS}{i}" for i in range(1, asked))])) == [PLS.lower()]
        assert sum("filter=" in path for path in forwarder.paths) == queries


def test_unchanged_sharing_rows_are_not_written(ledger: TableLedger, hands: Hands) -> None:
    """Each write costs, and a run without news writes nothing."""
    ledger.replace_sharing("prod", (), [SHARE])
    (before,) = hands.rows("sharing")
    other = Sharing("prod", PLS, "/f", ServiceRef("shop", "api", "u2"), "shares")
    ledger.replace_sharing("prod", [SHARE], [SHARE, other])
    after = {row["serviceName"]: row.metadata["etag"] for row in hands.rows("sharing")}
    assert after["web"] == before.metadata["etag"]
    assert set(after) == {"web", "api"}


def test_a_run_too_long_to_keep_is_cut_and_says_so(ledger: TableLedger) -> None:
    """An entity holds 1 MiB: the longest list is halved until it fits, and what went is counted."""
    hard = [{"sentence": "".join(uuid.uuid4().hex for _ in range(20))} for _ in range(5_000)]
    ledger.write_state(ClusterState("prod", last_run={"findings": hard, "writes": [1, 2], "count": 5_000}))
    read = ledger.state("prod")
    kept = len(read.last_run["findings"])
    assert 500 < kept < 5_000
    assert read.last_run["findings"] == hard[:kept]
    assert read.last_run["truncated"] == {"findings": 5_000 - kept}
    assert (read.last_run["writes"], read.last_run["count"]) == ([1, 2], 5_000)


def test_a_short_run_is_readable_in_a_storage_browser(ledger: TableLedger, hands: Hands) -> None:
    """JSON as text, in one property."""
    ledger.write_state(ClusterState("prod", last_run={"findings": ["x"]}))
    (row,) = hands.rows("clusters")
    assert row["lastRun"] == '{"findings":["x"]}'


def test_history_of_all_clusters_is_one_partition(ledger: TableLedger, hands: Hands) -> None:
    """One query tells the newest of hundreds of clusters."""
    ledger.add_history([HistoryEntry("prod", NOW, "write", "Created", "x")])
    assert sorted(row["PartitionKey"] for row in hands.rows("history")) == ["prod", keys.ALL_CLUSTERS]
