"""Row P3: what is in transit is waited for, and called stuck when that takes too long."""

from __future__ import annotations

from datetime import timedelta

from reconciler import arm_ids
from reconciler.model import ENDED_BADLY, IN_TRANSIT, WAIT, LoadBalancer, PrivateLinkService, Subnet
from reconciler.plan import Reason, Severity
from reconciler.planning.draft import Draft


def in_transit(draft: Draft, pls: PrivateLinkService, service: str) -> bool:
    """P3 for the PLS itself."""
    if pls.provisioning_state not in IN_TRANSIT:
        return False
    _wait(
        draft,
        f"Private Link Service {pls.id} is {pls.provisioning_state}",
        arm_ids.key(pls.id),
        service,
        pls.id,
    )
    return True


def waits_for(
    draft: Draft, load_balancer: LoadBalancer, service: str, pls: PrivateLinkService | None = None
) -> bool:
    """P3 for the load balancer."""
    state = load_balancer.provisioning_state
    if state == "Succeeded":
        return False
    _wait(
        draft,
        f"Load balancer {load_balancer.id} is {state}",
        arm_ids.key(load_balancer.id),
        service,
        pls.id if pls else "",
    )
    return True


def subnet_in_transit(draft: Draft, subnet: Subnet, service: str, pls_id: str) -> bool:
    """The same for the NAT subnet, whose policy was perhaps changed a second ago."""
    state = subnet.provisioning_state
    if state in ("Succeeded", *ENDED_BADLY, ""):
        return False
    _wait(draft, f"Subnet {subnet.name} is {state}", arm_ids.key(subnet.id), service, pls_id, soonest=1.0)
    return True


def for_name(draft: Draft, service: str, pls_id: str) -> None:
    """The name of a PLS that is gone is free with the next look, which nothing else would bring about."""
    what = f"The name of Private Link Service {pls_id}, which is gone, is still reserved"
    _wait(draft, what, f"name:{arm_ids.key(pls_id)}", service, pls_id, soonest=1.0)


def _wait(draft: Draft, what: str, key: str, service: str, pls_id: str, *, soonest: float = 2.0) -> None:
    since = draft.seen_since(f"{WAIT}{key}")
    waited = (draft.observed.now - since).total_seconds()
    if waited >= draft.limits.stuck_seconds:
        sentence = f"{what} for {waited / 60:.0f} minutes. Look at its last operation in Azure."
        draft.find(Reason.STUCK, Severity.ERROR, sentence, service=service, pls_id=pls_id)
    else:
        draft.find(Reason.WAITING, Severity.INFO, f"{what}; waiting.", service=service, pls_id=pls_id)
    draft.look_again(draft.observed.now + timedelta(seconds=min(300.0, max(soonest, waited / 2))))
