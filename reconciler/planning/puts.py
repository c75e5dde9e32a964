"""A PUT of a PLS, or first what its subnet needs."""

from __future__ import annotations

from reconciler import arm_ids
from reconciler.claims import Wish
from reconciler.desired import Desired, content_hash, desired
from reconciler.model import Frontend, Json, Observed, Subnet
from reconciler.plan import Change, PutPls, PutSubnet, Reason, Severity
from reconciler.planning import guards
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant, Verdicts, subnet_id


def goal_of(observed: Observed, owner: Tenant, wish: Wish, pls_id: str, frontend: Frontend) -> Desired:
    config = observed.cluster
    return desired(config, wish, pls_id, frontend.id, subnet_id(config, wish), owner.service.key)


def put(
    draft: Draft,
    owner: Tenant,
    goal: Desired,
    body: Json,
    reason: Reason,
    changes: tuple[Change, ...],
    *,
    created: bool,
) -> None:
    """The PUT, or first what its subnet needs."""
    key = owner.service.key
    wish = owner.claim.wish
    write = PutPls(
        pls_id=goal.pls_id,
        body=body,
        content_hash=content_hash(goal),
        claim_hash=wish.hash if isinstance(wish, Wish) else "",
        created=created,
        frontend_id=goal.frontend_id,
        subnet_ids=tuple(sorted({ip.subnet_id for ip in goal.nat_ips})),
        service=key,
        reason=reason,
        sentence=_sentence(goal, reason, key, changes),
        changes=changes,
    )
    when_ready(draft, write, goal.nat_ips[0].subnet_id)


def when_ready(draft: Draft, write: PutPls, subnet_id: str) -> None:
    """The PUT, once its subnet was read and takes it: ARM refuses any PUT of a PLS in a subnet with policies."""
    subnet = draft.observed.subnets.get(arm_ids.key(subnet_id))
    if isinstance(subnet, Subnet) and guards.subnet_ready(draft, subnet, write.service, write.pls_id):
        draft.writes.append(write)
    elif any(isinstance(w, PutSubnet) and arm_ids.same(w.subnet_id, subnet_id) for w in draft.writes):
        draft.after.append(write)


def _sentence(goal: Desired, reason: Reason, service: str, changes: tuple[Change, ...]) -> str:
    frontend = arm_ids.last_name(goal.frontend_id)
    what = ", ".join(change.property for change in changes)
    return {
        Reason.CREATE: f"create Private Link Service {goal.name} for Service {service} on frontend {frontend}",
        Reason.MOVE: f"move Private Link Service {goal.name} of Service {service} to frontend {frontend}",
        Reason.RETRY: f"write Private Link Service {goal.name} of Service {service} again: it failed",
        Reason.REPAIR: f"repair Private Link Service {goal.name} of Service {service}: {what}",
        Reason.UPDATE: f"update Private Link Service {goal.name} of Service {service}: {what}",
    }[reason]


def subnet_unread(draft: Draft, verdicts: Verdicts, owner: Tenant, pls_id: str) -> bool:
    """P1: the NAT subnet could not be read."""
    if not verdicts.unread:
        return False
    draft.find(
        Reason.UNKNOWN_VIEW,
        Severity.ERROR,
        f"Service {owner.service.key} waits: its NAT subnet could not be read ({verdicts.unread}).",
        service=owner.service.key,
        pls_id=pls_id,
    )
    return True
