"""Keys of table rows: safe for the service, different for different texts, newest first for history."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.adapters import table_keys as keys
from reconciler.model import ServiceRef

SAFE = re.compile(r"[A-Za-z0-9._()|!~:-]*")
# Dense in what the service refuses and in what the escape itself is made of.
TEXTS = st.text(alphabet=st.sampled_from("aA/\\#?%!|~:\t\x7f\x852f\ud800é😀 '")) | st.text(
    alphabet=st.characters(exclude_categories=[])
)
NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


@given(TEXTS, TEXTS)
@example("!2f!", "/")
@example("|", "/")
@example("/" * 500, "/" * 501)
@example("x" * 500, "x" * 400)
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    """Else two PLSs would share a row of the ledger."""
    assert (keys.escape(one) == keys.escape(other)) == (one == other)


@given(TEXTS.map(lambda text: text * 9))
def test_any_key_is_one_that_the_service_takes(text: str) -> None:
    """At most 512 characters, none of those it refuses."""
    service = ServiceRef(text, text)
    for key in (
        keys.cluster_key(text),
        keys.pls_key(text),
        keys.reservation_partition(text),
        keys.sharing_key(text, service),
    ):
        assert SAFE.fullmatch(key)
        assert len(key) <= 512


@given(TEXTS)
def test_no_cluster_can_reach_the_partitions_of_all(text: str) -> None:
    """Reservations and the history of all clusters are kept beside the clusters' partitions."""
    for cluster in (text, f"reserved|{text}", f"reserved/{text}", "|all", "/all"):
        assert "|" not in keys.cluster_key(cluster)


def test_a_plain_cluster_name_is_its_own_key() -> None:
    """People look for it in a storage browser."""
    assert keys.cluster_key("Prod-eu_1.a") == "Prod-eu_1.a"


def test_an_id_is_readable_in_its_key_and_has_one_key_in_any_case() -> None:
    """ARM's ids compare without regard to case."""
    pls_id = "/subscriptions/S/resourceGroups/MC_x/providers/Microsoft.Network/privateLinkServices/Pls"
    assert keys.pls_key(pls_id) == pls_id.lower().replace("/", "|")
    assert keys.pls_key(pls_id.upper()) == keys.pls_key(pls_id)
    assert keys.reservation_partition(pls_id) == "reserved|s|mc_x"


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=30_000)), min_size=2, max_size=20))
def test_history_keys_sort_newest_first_and_later_lines_first(ages: list[timedelta]) -> None:
    """Reading the top of a partition reads the newest lines."""
    made = keys.HistoryKeys()
    lines = [(NOW - age, index, made.next(NOW - age)) for index, age in enumerate(ages)]
    by_key = sorted(lines, key=lambda line: line[2])
    assert by_key == sorted(lines, key=lambda line: (line[0], line[1]), reverse=True)


def test_two_processes_never_make_the_same_history_key() -> None:
    """Two workers may write a line at the same microsecond."""
    assert keys.HistoryKeys().next(NOW) != keys.HistoryKeys().next(NOW)
