"""docs/operations.md: what it promises is what happens, and its times are the code's."""

from __future__ import annotations

from reconciler import published, rendering
from reconciler.adapters import aks, arm_client, table_rows
from reconciler.bookkeeping import BUSY_DELAYS, REFUSED_DELAYS
from reconciler.model import CLUSTER_TAG
from reconciler.plan import Plan, Reason
from reconciler.planning.guards import REPEAT_DELAYS
from tests import builders
from tests.docs.pages import tables, text_of

OWN_PREFIX = "example.com/azure-pls-"
TIMES = {row[0]: row[1] for row in tables(text_of("docs/operations.md"))["What happened | Next try"]}


def words(delays: tuple[int, ...]) -> str:
    """Delays in seconds as the page writes them."""
    said = ["hourly" if d == 3600 else f"{d // 60} min" if d >= 60 else f"{d} s" for d in delays]
    return ", ".join(said).replace(", hourly", ", then hourly")


def test_times_of_back_off() -> None:
    """A delay that was changed is changed on the page."""
    assert TIMES["ARM was busy (409, 429 for one resource)"].startswith(words(BUSY_DELAYS))
    assert TIMES["ARM refused a write"].startswith(words(REFUSED_DELAYS))
    assert TIMES["somebody changes a PLS back"].startswith(words(REPEAT_DELAYS))


def test_versions_are_the_codes_own() -> None:
    """What a reader checks before an upgrade."""
    rows = {
        row[0]: row[1] for row in tables(text_of("docs/operations.md"))["Part | Version | What it promises"]
    }
    assert rows["tables"].startswith(f"schema {table_rows.SCHEMA},")
    assert rows["JSON, HTTP"] == f"`version` {rendering.VERSION}"
    assert rows["published events"] == f"`data.version` {published.VERSION}"
    assert rows["ARM"].split(", ") == [
        f"Microsoft.Network {arm_client.API_VERSION}",
        f"Microsoft.ContainerService {aks.API_VERSION}",
    ]


def after_the_move(standard: bool, own: bool) -> Plan:
    """A PLS that the in-tree controller made; the cluster has a prefix of its own by now."""
    settings = {"fqdns": "a.example"}
    annotations = {OWN_PREFIX + k: v for k, v in {"create": "true", **settings}.items()} if own else {}
    service = builders.service(asks=standard, settings=settings if standard else {}, annotations=annotations)
    link = builders.pls(builders.frontend(service), service, fqdns=["a.example"])
    config = builders.configured(pls_prefix=OWN_PREFIX, in_tree="absent")
    return builders.decide(service, links=[link], cluster=config)


def test_another_prefix_moves_a_cluster_without_a_write() -> None:
    """Both sets of annotations, then the own one: id, alias and connections stay."""
    assert after_the_move(standard=True, own=True).empty
    assert after_the_move(standard=False, own=True).empty


def after_moving_back(standard: bool, own: bool) -> Plan:
    """A PLS that was made for annotations under a prefix of our own; the cluster has the standard one again."""
    settings = {"fqdns": "a.example"}
    annotations = {OWN_PREFIX + k: v for k, v in {"create": "true", **settings}.items()} if own else {}
    service = builders.service(asks=standard, settings=settings if standard else {}, annotations=annotations)
    link = builders.pls(builders.frontend(service), service, fqdns=["a.example"])
    return builders.decide(service, links=[link], cluster=builders.configured())


def test_the_standard_prefix_moves_a_cluster_back_without_a_write() -> None:
    """Both sets of annotations, then the standard one; and what is forgotten does no harm."""
    assert after_moving_back(standard=True, own=True).empty
    assert after_moving_back(standard=True, own=False).empty
    assert after_moving_back(standard=False, own=True).empty


def test_a_prefix_that_came_too_early_does_no_harm() -> None:
    """The prefix is set before the annotations are there: the PLS is kept."""
    early = after_the_move(standard=True, own=False)
    assert early.empty
    assert builders.reasons(early) == [Reason.KEPT]


def test_a_foreign_pls_is_handed_over_by_its_tags() -> None:
    """Without the tags it is refused, with them it is followed."""
    service = builders.service()
    foreign = builders.pls(builders.frontend(service), None, tags={CLUSTER_TAG: None})
    assert builders.reasons(builders.decide(service, links=[foreign])) == [Reason.FOREIGN_PLS]
    tagged = builders.pls(builders.frontend(service), service, fqdns=["else.example"])
    assert builders.put_of(builders.decide(service, links=[tagged])).reason is Reason.UPDATE
