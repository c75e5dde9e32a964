"""What stands before a write: the in-tree controller's turn, back-off, the hot-loop guard, the subnet.

Each guard answers whether the write may go out now; where not, it has said why in a finding and when
to look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from reconciler import arm_ids
from reconciler.desired import Desired, content_hash
from reconciler.model import ENDED_BADLY, Ownership, PrivateLinkService, Subnet
from reconciler.plan import (
    DELETED,
    DISCONNECTED,
    STATE,
    SUBNET,
    Change,
    PutSubnet,
    Reason,
    Severity,
    content,
    deleted_of,
    not_deleted,
    not_written,
    title_of,
)
from reconciler.planning import waiting
from reconciler.planning.acquaintance import owner_key
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant

# The same content is written again after 0 s, 30 s, 2 min, 10 min, then hourly.
REPEAT_DELAYS = (0, 30, 120, 600, 3600)
FIGHT_FROM = 3
POLICY = "privateLinkServiceNetworkPolicies"
# What was asked to go is asked again no sooner, and looked at this often until then.
DELETING = timedelta(seconds=15)
DELETE_LOOKS = timedelta(seconds=2)
EVER = datetime.min.replace(tzinfo=UTC)


def claimed_since(draft: Draft, tenant: Tenant, row: Ownership | None, wish_hash: str) -> datetime | None:
    """Since when a new or changed claim is there for the in-tree controller; None where nobody waits for that.

    Also asked where something else is waited for, or that time would begin anew with each operation on
    the load balancer.
    """
    observed = draft.observed
    if observed.cluster.in_tree != "active" or not observed.remembers:
        return None
    if row is not None and row.claim_hash == wish_hash:
        return None
    return draft.seen_since(f"claim:{tenant.service.uid}:{wish_hash}")


def settled(draft: Draft, tenant: Tenant, row: Ownership | None, wish_hash: str) -> bool:
    """Where the in-tree controller is at work, a new or changed claim is left to it for a while."""
    since = claimed_since(draft, tenant, row, wish_hash)
    if since is None:
        return True
    due = since + timedelta(seconds=draft.observed.cluster.settle_seconds)
    if draft.observed.now >= due:
        return True
    draft.find(
        Reason.SETTLING,
        Severity.INFO,
        f"The new or changed claim of Service {tenant.service.key} is left to the in-tree controller until "
        f"{due:%H:%M:%S} UTC (inTree: active).",
        service=tenant.service.key,
    )
    draft.look_again(due)
    return False


@dataclass(frozen=True, slots=True)
class Target:
    """What a PUT is about: the PLS, its frontend, what the ledger says for what would be written.

    ``subnet`` names the subnet of the PLS where that is what would be written.
    """

    pls_id: str
    frontend_id: str
    content: str
    subnet: str = ""

    @property
    def title(self) -> str:
        """What is written, as a sentence begins."""
        return title_of(self.pls_id, self.subnet)


def target_of(goal: Desired) -> Target:
    """The target of a PUT of the whole desired state."""
    return Target(goal.pls_id, goal.frontend_id, content_hash(goal))


def backed_off(
    draft: Draft, goal: Target, row: Ownership | None, changes: tuple[Change, ...], service: str
) -> bool:
    """Whether the same content was written, or failed, too short a while ago."""
    if row is None or row.written_hash != goal.content:
        return False
    _report_repeats(draft, goal, row, changes, service)
    due = _next_try(row)
    if row.attempts and row.last_error:
        draft.find(
            Reason.MOVE_NOT_POSSIBLE if row.last_error_code == "move" else Reason.REJECTED,
            Severity.ERROR,
            not_written(goal.title, service, row.last_error),
            service=service,
            frontend_id=goal.frontend_id,
            pls_id=goal.pls_id,
        )
    if due <= draft.observed.now:
        return False
    draft.find(
        Reason.BACK_OFF,
        Severity.INFO,
        f"{goal.title} is written again after {due:%H:%M:%S} UTC.",
        service=service,
        pls_id=goal.pls_id,
    )
    draft.look_again(due)
    return True


def _next_try(row: Ownership) -> datetime:
    """Both count: a try whose end is unknown came after the refusal that ``not_before`` tells of."""
    if row.written_at is None or not row.written_count:
        return row.not_before or EVER
    delay = REPEAT_DELAYS[min(row.written_count - 1, len(REPEAT_DELAYS) - 1)]
    repeat = row.written_at + timedelta(seconds=delay)
    return max(repeat, row.not_before) if row.not_before else repeat


def deleting(draft: Draft, pls: PrivateLinkService, row: Ownership | None) -> bool:
    """Whether this step of a delete was asked for, or failed, too short a while ago.

    The operation runs on while its subject is still listed, and may fail after it was accepted.
    """
    if row is None or row.written_hash != (DISCONNECTED if pls.connections else DELETED):
        return False
    now = draft.observed.now
    ends = row.written_at + DELETING if row.written_at and not row.attempts else EVER
    due = max(_next_try(row), ends)
    _report_delete(draft, pls, row, due)
    if due > now:
        draft.look_again(now + DELETE_LOOKS if ends > now else due)
    return due > now


def _report_delete(draft: Draft, pls: PrivateLinkService, row: Ownership, due: datetime) -> None:
    waits = due > draft.observed.now
    what = deleted_of(pls.id, bool(pls.connections))
    again = f"the delete is sent again {f'after {due:%H:%M:%S} UTC' if waits else 'now'}"
    owner = owner_key(pls)
    for reason, severity, sentence in _state_of_delete(what, row, again):
        if waits or severity is Severity.ERROR:
            draft.find(reason, severity, sentence, service=owner, pls_id=pls.id, frontend_id=pls.frontend_id)


def _state_of_delete(what: str, row: Ownership, again: str) -> Iterator[tuple[Reason, Severity, str]]:
    if row.last_error:
        yield Reason.FAILED, Severity.ERROR, not_deleted(what, row.last_error)
        yield Reason.BACK_OFF, Severity.INFO, f"{what}: {again}."
    elif row.attempts:
        yield Reason.WAITING, Severity.INFO, f"{what}: Azure is busy; {again}."
    elif row.written_count > 1:
        sentence = f"{what} did not go, though Azure accepted the delete {row.written_count} times; {again}."
        yield Reason.FAILED, Severity.ERROR, sentence
    else:
        yield Reason.WAITING, Severity.INFO, f"{what}: the delete is under way; waiting."


def satisfied(row: Ownership, claim_hash: str, now: datetime) -> Ownership:
    """The row of a PLS that is as it shall be. The count of repeats is forgotten after a quiet day."""
    quiet = row.written_at is None or now - row.written_at > timedelta(days=1)
    return replace(
        row,
        claim_hash=claim_hash,
        attempts=0,
        not_before=None,
        last_error="",
        last_error_code="",
        written_count=0 if quiet else row.written_count,
    )


def _report_repeats(
    draft: Draft, goal: Target, row: Ownership, changes: tuple[Change, ...], service: str
) -> None:
    """Why the same content has to be written again and again: Azure fails, or somebody changes it back."""
    state = next((change.before for change in changes if change.property == STATE), "")
    if row.written_count < (2 if state else FIGHT_FROM):
        return
    subject = f"{goal.title} of Service {service}"
    if state:
        draft.find(
            Reason.FAILED,
            Severity.ERROR,
            f"{subject} is {state}, though Azure accepted the same content {row.written_count} times. Look at "
            "its last operation in Azure.",
            service=service,
            frontend_id=goal.frontend_id,
            pls_id=goal.pls_id,
        )
        return
    names = ", ".join(change.property for change in changes) or "the whole resource (it was deleted)"
    draft.find(
        Reason.DRIFT_FIGHT,
        Severity.WARNING,
        f"{subject} is changed back by somebody each time: {names}. It was written {row.written_count} times "
        "with the same content; find the other writer.",
        service=service,
        frontend_id=goal.frontend_id,
        pls_id=goal.pls_id,
    )


def subnet_ready(draft: Draft, subnet: Subnet, service: str, pls_id: str) -> bool:
    """Whether a PLS can be put into the subnet now; if not, plans what makes it so, or refuses."""
    if waiting.subnet_in_transit(draft, subnet, service, pls_id):
        return False
    if subnet.policy.lower() == "disabled" and not _failed_under_us(draft, subnet):
        return True
    if draft.limits.subnet_policy == "report":
        _refuse_subnet(draft, subnet, service, pls_id)
    elif not any(isinstance(w, PutSubnet) and arm_ids.same(w.subnet_id, subnet.id) for w in draft.writes):
        write = _disable_policy(subnet, service, pls_id)
        if not _subnet_backed_off(draft, subnet, write):
            draft.writes.append(write)
    return False


def _failed_under_us(draft: Draft, subnet: Subnet) -> bool:
    """Whether our own write of the subnet ended badly: ARM refuses a PLS in it until it is written again."""
    failed = subnet.provisioning_state in ENDED_BADLY
    return failed and any(row.written_hash == SUBNET + subnet.id.lower() for row in draft.observed.ownership)


def _subnet_backed_off(draft: Draft, subnet: Subnet, write: PutSubnet) -> bool:
    """The back-off is in the row of whichever Private Link Service the subnet was last written for."""
    target = Target(write.pls_id, "", content(write), subnet.name)
    rows = [row for row in draft.observed.ownership if row.written_hash == target.content]
    changes: tuple[Change, ...] = (Change(POLICY, subnet.policy, "Disabled"),)
    if subnet.provisioning_state in ENDED_BADLY:
        changes = (Change(STATE, subnet.provisioning_state, "Succeeded"), *changes)
    return backed_off(draft, target, max(rows, key=_next_try, default=None), changes, write.service)


def _disable_policy(subnet: Subnet, service: str, pls_id: str) -> PutSubnet:
    properties = {
        **(subnet.raw.get("properties") or {}),
        POLICY: "Disabled",
    }
    return PutSubnet(
        subnet.id,
        {**subnet.raw, "properties": properties},
        subnet.etag,
        Reason.SUBNET_POLICY,
        f"disable the Private Link Service network policies of subnet {subnet.name} for Service {service}",
        service,
        pls_id,
        (Change(POLICY, subnet.policy, "Disabled"),),
    )


def policy_command(subnet_id: str) -> str:
    """The az command that does by hand what ``SUBNET_POLICY=report`` leaves undone."""
    parsed = arm_ids.parse(subnet_id)
    if parsed is None:
        return ""
    return (
        f"az network vnet subnet update --subscription {parsed.subscription} -g {parsed.resource_group} "
        f"--vnet-name {parsed.name} -n {parsed.rest[-1]} --private-link-service-network-policies Disabled"
    )


def _refuse_subnet(draft: Draft, subnet: Subnet, service: str, pls_id: str) -> None:
    draft.find(
        Reason.SUBNET_NOT_READY,
        Severity.ERROR,
        f"Service {service}: subnet {subnet.name} does not allow Private Link Services yet, and "
        f"SUBNET_POLICY=report leaves that to you: {policy_command(subnet.id)}",
        service=service,
        pls_id=pls_id,
    )
