"""docs/scale.md: its table and the numbers in its sentences are those that the model in tests/bench reckons."""

from __future__ import annotations

from tests.bench import scale
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text()
FLOW = " ".join(PAGE.split())


def test_the_table_is_the_models() -> None:
    """A run that costs another request costs more in the table, too."""
    assert scale.table() in PAGE


def test_the_sentence_about_a_run_is_the_models() -> None:
    """What the page says it reckons with."""
    run, probe = scale.QUIET_RUN, scale.QUIET_PROBE
    assert f"{run.arm} ARM, {run.kubernetes} Kubernetes and {run.tables} table requests" in FLOW
    assert f"{probe.kubernetes} Kubernetes and {probe.tables} table requests" in FLOW


def test_the_limits_are_reached_where_the_page_says() -> None:
    """The order of the limits is reckoned, not felt."""
    one = scale.Fleet(1, 100)
    requests = one.messages_per_second * scale.QUEUE_REQUESTS
    assert f"about {round(scale.QUEUE_MESSAGES_PER_SECOND / requests, -3):,.0f} clusters" in FLOW
    reads = scale.QUIET_RUN.arm / scale.PASS_SECONDS
    assert f"{scale.ARM_READS_PER_SECOND / reads:,.0f} clusters in one subscription" in FLOW
    fleet = scale.FLEETS[-1]
    busy = fleet.clusters * (
        scale.QUIET_RUN.seconds / scale.PASS_SECONDS + scale.QUIET_PROBE.seconds / scale.PROBE_SECONDS
    )
    assert f"about {busy:.0f} messages in work" in FLOW
    assert f"{-(-busy // scale.AT_ONCE):.0f} instances of {scale.AT_ONCE}" in FLOW


def test_the_share_of_the_probes_is_the_models() -> None:
    """What a longer probe interval saves."""
    fleet, free = scale.FLEETS[-1], scale.Cost(0, 0, 0, 0.0)
    runs = scale.MONTH / scale.PASS_SECONDS * fleet.clusters
    only_executed = fleet.money(free, free)
    per_message = only_executed / (scale.MONTH * fleet.messages_per_second)
    probes = fleet.money(free, scale.QUIET_PROBE) - per_message * runs
    share = probes / fleet.money(scale.QUIET_RUN, scale.QUIET_PROBE)
    assert f"{share:.0%} of it are probes".replace("%", " %") in FLOW
    assert 1 - share * 3 / 4 < 0.5, "a quarter of the probes costs less than half"
