"""What stands before a PUT: the hot-loop guard, back-off after failures, the subnet's policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler import bookkeeping
from reconciler.bookkeeping import Outcome, Result
from reconciler.errors import OutcomeUnknown, Rejected, RetryLater
from reconciler.model import Limits, Ownership, Proof
from reconciler.plan import DeleteConnection, Plan, Reason, Severity, content, digest
from tests.builders import (
    after,
    configured,
    connection,
    decide,
    deeds,
    found,
    frontend,
    pls,
    put_of,
    reasons,
    row,
    service,
    subnet,
    subnet_id,
    subnet_put_of,
    subnets,
)

WEB = service()
ON = frontend(WEB)
EDITED = pls(ON, WEB, "mine", fqdns=["by-hand"])
REPORT = Limits(subnet_policy="report")


def repaired(rows: tuple[Ownership, ...], seconds: float) -> Plan:
    """The plan for the edited PLS at this time."""
    return decide(WEB, links=[EDITED], ownership=rows, now=after(seconds=seconds))


# Hot loops


def test_the_same_content_is_written_again_after_0_30_120_600_and_3600_seconds() -> None:
    """Somebody undoes each of our writes: each repeat waits longer, and none comes too early."""
    rows: tuple[Ownership, ...] = (row(EDITED, WEB),)
    clock = 0.0
    for delay in (0, 0, 30, 120, 600, 3600, 3600):
        if delay:
            early = repaired(rows, clock + delay - 1)
            assert (early.writes, early.come_back) == ((), after(seconds=clock + delay))
            assert Reason.BACK_OFF in reasons(early)
        clock += delay
        result = repaired(rows, clock)
        write = put_of(result)
        noted = bookkeeping.intents(result, after(seconds=clock))
        rows = bookkeeping.settle(
            result.ownership, noted, [Outcome(write, Result.ACCEPTED)], after(seconds=clock)
        )


def test_writes_whose_end_is_unknown_wait_longer_each_time_also_after_a_refusal() -> None:
    """The refusal's own waiting time is long over: it must not hide how often the content went out since."""
    rows: tuple[Ownership, ...] = (row(EDITED, WEB),)
    clock = 0.0
    for delay, error in (
        (0, RetryLater("busy")),
        (2, OutcomeUnknown("cut")),
        (0, OutcomeUnknown("cut")),
        (30, OutcomeUnknown("cut")),
        (120, OutcomeUnknown("cut")),
    ):
        if delay:
            assert repaired(rows, clock + delay - 1).writes == ()
        clock += delay
        result = repaired(rows, clock)
        outcome = bookkeeping.outcome_of(put_of(result), error)
        noted = bookkeeping.intents(result, after(seconds=clock))
        rows = bookkeeping.settle(result.ownership, noted, [outcome], after(seconds=clock))


def test_from_the_third_time_a_drift_fight_names_the_properties_that_come_back() -> None:
    """Two writes may be chance; the finding names the PLS, its owner and what is fought about."""
    content_hash = put_of(repaired((), 0)).content_hash
    for count, fights in ((2, False), (3, True), (9, True)):
        known = row(EDITED, WEB, written_hash=content_hash, written_count=count, written_at=after(days=-2))
        result = repaired((known,), 0)
        assert (Reason.DRIFT_FIGHT in reasons(result)) is fights
        assert put_of(result).reason is Reason.UPDATE
    sentence = found(result, Reason.DRIFT_FIGHT).sentence
    for word in ("mine", "shop/web", "fqdns"):
        assert word in sentence


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_a_write_that_azure_accepts_and_fails_is_no_fight_with_somebody(state: str) -> None:
    """Nobody would find the other writer; once may be chance, twice is told with the way out."""
    broken = pls(ON, WEB, "mine", provisioningState=state)
    content_hash = put_of(decide(WEB, links=[broken])).content_hash
    for count, told in ((1, False), (2, True), (9, True)):
        known = row(broken, WEB, written_hash=content_hash, written_count=count, written_at=after(days=-2))
        result = decide(WEB, links=[broken], ownership=(known,))
        assert put_of(result).reason is Reason.RETRY
        assert (Reason.FAILED in reasons(result)) is told
        assert Reason.DRIFT_FIGHT not in reasons(result)
    assert f"is {state}" in found(result, Reason.FAILED).sentence
    assert found(result, Reason.FAILED).severity is Severity.ERROR


def test_a_subnet_whose_write_fails_is_no_fight_either() -> None:
    """Its policy stays as it was, because Azure did not finish."""
    closed = replace(subnet(policy="Enabled"), provisioning_state="Failed")
    first = subnet_put_of(decide(WEB, subnets=subnets(closed)))
    known = row(
        first.pls_id, WEB, ON.id, written_hash=content(first), written_count=3, written_at=after(days=-2)
    )
    result = decide(WEB, subnets=subnets(closed), ownership=(known,))
    assert "is Failed" in found(result, Reason.FAILED).sentence


def test_our_own_failed_write_of_a_subnet_is_written_again_before_its_pls() -> None:
    """ARM refuses a PLS in a Failed subnet for ever; somebody else's failure is left to them."""
    failed = replace(subnet(policy="Disabled"), provisioning_state="Failed")
    first = subnet_put_of(decide(WEB, subnets=subnets(subnet(policy="Enabled"))))
    known = row(
        first.pls_id, WEB, ON.id, written_hash=content(first), written_count=1, written_at=after(seconds=-60)
    )
    assert deeds(decide(WEB, subnets=subnets(failed), ownership=(known,)).writes) == [
        ("disable-subnet-policy", "default")
    ]
    assert put_of(decide(WEB, subnets=subnets(failed))).created


def test_another_content_is_no_repeat() -> None:
    """A person who changes the claim is not made to wait for the fight about the former one."""
    fought = row(EDITED, WEB, written_hash="other", written_count=9, written_at=after(seconds=-1))
    assert put_of(repaired((fought,), 0)).reason is Reason.UPDATE


def test_a_pls_that_somebody_keeps_deleting_is_guarded_too() -> None:
    """Creation is a write like any other."""
    first = put_of(decide(WEB))
    fought = row(
        first.pls_id,
        WEB,
        ON.id,
        written_hash=first.content_hash,
        written_count=3,
        written_at=after(seconds=-60),
    )
    result = decide(WEB, ownership=(fought,), absent_pls=frozenset({first.pls_id.lower()}))
    assert (result.writes, result.come_back) == ((), after(seconds=60))
    assert "deleted" in found(result, Reason.DRIFT_FIGHT).sentence


@pytest.mark.parametrize(("days", "count"), [(0.9, 4), (1.1, 0)])
def test_the_count_of_repeats_is_forgotten_after_a_quiet_day(days: float, count: int) -> None:
    """Equal for a day: the fight is over."""
    there = pls(ON, WEB)
    known = row(there, WEB, written_hash="x", written_count=4, written_at=after(days=-days))
    (kept,) = decide(WEB, links=[there], ownership=(known,)).ownership
    assert kept.written_count == count


# Back-off after failures


def test_a_refused_write_says_arms_words_and_waits_longer_each_time() -> None:
    """30 s, 2 min, 10 min, then hourly; the refusal is shown while it waits."""
    rows: tuple[Ownership, ...] = (row(EDITED, WEB),)
    clock = 0.0
    for delay in (30, 120, 600, 3600, 3600):
        result = repaired(rows, clock)
        noted = bookkeeping.intents(result, after(seconds=clock))
        outcome = Outcome(put_of(result), Result.FAILED, Rejected("subnet is too small", code="Bad"))
        rows = bookkeeping.settle(result.ownership, noted, [outcome], after(seconds=clock))
        waiting = repaired(rows, clock + delay - 1)
        assert (waiting.writes, waiting.come_back) == ((), after(seconds=clock + delay))
        assert "subnet is too small" in found(waiting, Reason.REJECTED).sentence
        assert found(waiting, Reason.REJECTED).severity is Severity.ERROR
        clock += delay
    assert Reason.DRIFT_FIGHT not in reasons(repaired(rows, clock))


def test_being_busy_once_or_twice_is_no_news() -> None:
    """ARM is busy all the time: only the third failure in a row is worth a person's attention."""
    rows: tuple[Ownership, ...] = (row(EDITED, WEB),)
    clock, told = 0.0, []
    for _ in range(3):
        result = repaired(rows, clock)
        noted = bookkeeping.intents(result, after(seconds=clock))
        outcome = Outcome(put_of(result), Result.BUSY, RetryLater("another operation", code="InUse"))
        rows = bookkeeping.settle(result.ownership, noted, [outcome], after(seconds=clock))
        told.append(Reason.REJECTED in reasons(repaired(rows, clock)))
        clock += 400
    assert told == [False, False, True]


def test_deleted_connections_are_given_time_to_go() -> None:
    """The delete is an operation that runs on while they are still listed: it is not sent twice."""
    connected = pls(ON, WEB, "mine", privateEndpointConnections=[connection("mine")])
    leaving = service(deleting=True)
    proofs = {leaving.ref: Proof.DELETING}
    known = (row(connected, leaving),)
    first = decide(leaving, frontends=[ON], links=[connected], ownership=known, proofs=proofs)
    (write,) = first.writes
    assert isinstance(write, DeleteConnection)
    noted = bookkeeping.intents(first, after())
    rows = bookkeeping.settle(first.ownership, noted, [Outcome(write, Result.ACCEPTED)], after())
    again = decide(
        leaving, frontends=[ON], links=[connected], ownership=rows, proofs=proofs, now=after(seconds=5)
    )
    assert (again.writes, reasons(again), again.come_back) == ((), [Reason.WAITING], after(seconds=7))
    gone = decide(
        leaving,
        frontends=[ON],
        links=[replace(connected, connections=())],
        ownership=rows,
        proofs=proofs,
        now=after(seconds=5),
    )
    assert deeds(gone.writes) == [("delete", "mine")]


# The subnet's policy


def test_an_enabled_policy_is_disabled_first_and_the_pls_follows_after() -> None:
    """The subnet as read with one field changed and its etag; the PUT of the PLS waits for a later run."""
    views = subnets(subnet("default", "Enabled"))
    result = decide(WEB, subnets=views)
    write = subnet_put_of(result)
    assert (write.subnet_id, write.etag) == (subnet_id("default"), 'W/"1"')
    assert write.body["properties"] == {
        "addressPrefix": "10.224.0.0/16",
        "privateLinkServiceNetworkPolicies": "Disabled",
    }
    assert deeds(result.after) == [("create", f"pls-{ON.name}")]


def test_two_claims_on_one_subnet_change_its_policy_once() -> None:
    """One PUT of the subnet, and both PLSs after it."""
    result = decide(WEB, service("other"), subnets=subnets(subnet("default", "Enabled")))
    assert deeds(result.writes) == [("disable-subnet-policy", "default")]
    assert [verb for verb, _ in deeds(result.after)] == ["create", "create"]


@pytest.mark.parametrize("policy", ["Disabled", "disabled"])
def test_a_disabled_policy_is_left_alone(policy: str) -> None:
    """No PUT of a virtual network's subnet without need."""
    assert put_of(decide(WEB, subnets=subnets(subnet("default", policy)))).created


def test_a_policy_is_not_disabled_for_a_write_that_waits() -> None:
    """Only before a PUT of a PLS: a settling claim changes no subnet."""
    views = subnets(subnet("default", "Enabled"))
    assert decide(WEB, subnets=views, cluster=configured(in_tree="active")).writes == ()


def test_a_subnet_being_updated_is_waited_for() -> None:
    """Its policy is not Succeeded yet: the PLS comes with the next run, a second later."""
    busy = subnet("default", "Disabled", provisioning_state="Updating")
    result = decide(WEB, subnets=subnets(busy))
    assert (result.writes, result.come_back) == ((), after(seconds=1))
    assert "default" in found(result, Reason.WAITING).sentence


def test_a_subnets_back_off_holds_for_all_that_wait_for_it() -> None:
    """Fifty Services on a subnet that may not be written must not try it in turn; a ready one is free again."""
    closed = subnets(subnet("default", "Enabled"))
    mine = row(
        "mine", WEB, written_hash=f"subnet:{subnet_id('default').lower()}", attempts=1, last_error="no role"
    )
    waiting = replace(mine, not_before=after(seconds=30))
    result = decide(WEB, service("other"), subnets=closed, ownership=(waiting,))
    assert (result.writes, result.after, result.come_back) == ((), (), after(seconds=30))
    told = [f.service for f in result.findings if f.reason is Reason.REJECTED and "no role" in f.sentence]
    assert told == ["shop/other", "shop/web"]
    assert deeds(decide(WEB, ownership=(waiting,)).writes) == [("create", f"pls-{ON.name}")]
    due = decide(WEB, subnets=closed, ownership=(waiting,), now=after(seconds=30))
    assert subnet_put_of(due).pls_id == put_of(decide(WEB)).pls_id


def test_report_refuses_instead_with_the_exact_az_command() -> None:
    """SUBNET_POLICY=report: neither the subnet nor the PLS is written."""
    result = decide(WEB, subnets=subnets(subnet("default", "Enabled")), limits=REPORT)
    finding = found(result, Reason.SUBNET_NOT_READY)
    assert (result.writes, result.after, finding.service) == ((), (), "shop/web")
    assert (
        "az network vnet subnet update --subscription 00000000-0000-0000-0000-000000000001 -g MC_prod "
        "--vnet-name aks-vnet -n default --private-link-service-network-policies Disabled"
    ) in finding.sentence


def test_report_lets_a_ready_subnet_pass() -> None:
    """Only what is not ready is refused."""
    assert put_of(decide(WEB, limits=REPORT)).created


def test_equal_plans_have_equal_digests_and_different_ones_do_not() -> None:
    """A digest tells what was shown from what would be written now: target and content."""
    one, same, other = decide(WEB), decide(WEB), decide(service(settings={"fqdns": "a"}))
    assert one == same
    assert one.digest == same.digest != other.digest
    assert one.digest != decide(service("another")).digest
    assert digest([]) != one.digest
