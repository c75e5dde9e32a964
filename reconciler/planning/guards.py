"""What stands before a PUT: the in-tree controller's turn, back-off, the hot-loop guard, the subnet.

Each guard answers whether the write may go out now; where not, it has said why in a finding and when
to look again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import arm_ids
from reconciler.desired import Desired, content_hash
from reconciler.model import OWNER_TAG, Ownership, PrivateLinkService, Subnet
from reconciler.plan import DISCONNECTED, Change, PutSubnet, Reason, Severity
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant

# The same content is written again after 0 s, 30 s, 2 min, 10 min, then hourly.
REPEAT_DELAYS = (0, 30, 120, 600, 3600)
FIGHT_FROM = 3
# Connections that were asked to go are asked again after this time.
DISCONNECTING = timedelta(seconds=15)


def settled(draft: Draft, tenant: Tenant, row: Ownership | None, wish_hash: str) -> bool:
    """Where the in-tree controller is at work, a new or changed claim is left to it for a while."""
    config = draft.observed.cluster
    if config.in_tree != "active" or not draft.observed.remembers:
        return True
    if row is not None and row.claim_hash == wish_hash:
        return True
    since = draft.seen_since(f"claim:{tenant.service.uid}:{wish_hash}")
    due = since + timedelta(seconds=config.settle_seconds)
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
    """What a PUT is about: the PLS, its frontend, and a hash of what would be written."""

    pls_id: str
    frontend_id: str
    content_hash: str

    @property
    def name(self) -> str:
        """The PLS's name."""
        return arm_ids.last_name(self.pls_id)


def target_of(goal: Desired) -> Target:
    """The target of a PUT of the whole desired state."""
    return Target(goal.pls_id, goal.frontend_id, content_hash(goal))


def backed_off(
    draft: Draft, goal: Target, row: Ownership | None, changes: tuple[Change, ...], service: str
) -> bool:
    """Whether the same content was written, or failed, too short a while ago."""
    if row is None or row.written_hash != goal.content_hash:
        return False
    _report_fight(draft, goal, row, changes, service)
    due = _next_try(row)
    if row.attempts and row.last_error:
        draft.find(
            Reason.MOVE_NOT_POSSIBLE if row.last_error_code == "move" else Reason.REJECTED,
            Severity.ERROR,
            f"Private Link Service {goal.name} of Service {service} could not be written: {row.last_error}",
            service=service,
            frontend_id=goal.frontend_id,
            pls_id=goal.pls_id,
        )
    if due <= draft.observed.now:
        return False
    draft.find(
        Reason.BACK_OFF,
        Severity.INFO,
        f"Private Link Service {goal.name} is written again after {due:%H:%M:%S} UTC.",
        service=service,
        pls_id=goal.pls_id,
    )
    draft.look_again(due)
    return True


def _next_try(row: Ownership) -> datetime:
    floor = datetime.min.replace(tzinfo=row.written_at.tzinfo if row.written_at else None)
    if row.attempts and row.not_before:
        return row.not_before
    if row.written_at is None or not row.written_count:
        return row.not_before or floor
    delay = REPEAT_DELAYS[min(row.written_count - 1, len(REPEAT_DELAYS) - 1)]
    repeat = row.written_at + timedelta(seconds=delay)
    return max(repeat, row.not_before) if row.not_before else repeat


def disconnecting(draft: Draft, pls: PrivateLinkService, row: Ownership | None) -> bool:
    """Whether the connections were deleted a moment ago: the operation runs on while they are still listed."""
    if row is None or row.written_hash != DISCONNECTED or row.written_at is None or not pls.connections:
        return False
    if draft.observed.now - row.written_at >= DISCONNECTING:
        return False
    draft.find(
        Reason.WAITING,
        Severity.INFO,
        f"The connections of Private Link Service {pls.id} are being deleted; it follows.",
        service=pls.tag(OWNER_TAG) or "",
        pls_id=pls.id,
    )
    draft.look_again(draft.observed.now + timedelta(seconds=2))
    return True


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


def _report_fight(
    draft: Draft, goal: Target, row: Ownership, changes: tuple[Change, ...], service: str
) -> None:
    if row.written_count < FIGHT_FROM:
        return
    names = ", ".join(change.property for change in changes) or "the whole resource (it was deleted)"
    draft.find(
        Reason.DRIFT_FIGHT,
        Severity.WARNING,
        f"Somebody keeps changing Private Link Service {goal.name} of Service {service} back: {names}. It was "
        f"written {row.written_count} times with the same content; find the other writer.",
        service=service,
        pls_id=goal.pls_id,
        frontend_id=goal.frontend_id,
    )


def subnet_ready(draft: Draft, subnet: Subnet, service: str, pls_id: str) -> bool:
    """Whether a PLS can be put into the subnet now; if not, plans what makes it so, or refuses."""
    if subnet.provisioning_state not in ("Succeeded", "Failed", ""):
        draft.find(
            Reason.WAITING,
            Severity.INFO,
            f"Subnet {subnet.name} is {subnet.provisioning_state}; Private Link Services follow when it is done.",
            service=service,
            pls_id=pls_id,
        )
        draft.look_again(draft.observed.now + timedelta(seconds=1))
        return False
    if subnet.policy.lower() == "disabled":
        return True
    if draft.limits.subnet_policy == "report":
        _refuse_subnet(draft, subnet, service, pls_id)
        return False
    if not any(isinstance(w, PutSubnet) and arm_ids.same(w.subnet_id, subnet.id) for w in draft.writes):
        draft.writes.append(_disable_policy(subnet, service))
    return False


def _disable_policy(subnet: Subnet, service: str) -> PutSubnet:
    properties = {
        **(subnet.raw.get("properties") or {}),
        "privateLinkServiceNetworkPolicies": "Disabled",
    }
    return PutSubnet(
        subnet.id,
        {**subnet.raw, "properties": properties},
        subnet.etag,
        Reason.SUBNET_POLICY,
        f"disable the Private Link Service network policies of subnet {subnet.name} for Service {service}",
        service,
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
