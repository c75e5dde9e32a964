"""Observed → Plan. Pure: no I/O, no clock. Table S is in :mod:`reconciler.planning.verdicts`; this is table P.

==  ==========================================================  ======================================
P   frontend / PLS                                              action
==  ==========================================================  ======================================
1   Services unknown, load balancers or a needed group unread   nothing; report
2   PLS not ours                                                nothing
3   PLS in transit, or its load balancer not Succeeded          wait; after 30 min ``Stuck``
4   no PLS; the elect's wished id is a PLS of the same owner    update with the new frontend
    whose old frontend is gone or has no tenant but the owner
5   no PLS; the wished id is any other PLS, or wished or        refuse the elect, naming both
    reserved by an earlier claim, here or in another cluster
6   no PLS; elect                                               create
7   no PLS; no elect                                            nothing; forget a row once proven absent
8   ours; no tenants, each known tenant proven gone             delete, connections first
9   ours; frontend gone, without such proof; or those with      two sightings a grace apart and no
    rules on it proven gone, and the others left it             approved connection: delete; else report
10  ours; owner not among the tenants                           restore the tag from the ledger, or keep
11  ours; owner does not ask, or is refused                     keep, change nothing
12  ours; owner asks for another name or resource group         keep, refuse
13  ours; Failed or Canceled, or differs by the peer's rule     update (full PUT), with back-off
14  ours, equal                                                 nothing
==  ==========================================================  ======================================

First row that matches; frontends without a PLS first (a move uses up its PLS). *Ours*: the tag
``k8s-azure-cluster-name`` equals the cluster's name (trimmed, any case) **and** the frontend lies in
this cluster's load balancer resource group; a ledger row stands in for a frontend that is gone, never
for the tag. The rows are in ``claiming`` (3 to 7), ``holding`` (2, 3, 8, 10 to 14) and ``collecting``
(8, 9); ``guards`` has what stands before a PUT.
"""

from __future__ import annotations

from reconciler import arm_ids
from reconciler.model import Limits, Observed, Unknown
from reconciler.plan import Plan, Reason, Severity
from reconciler.planning import claiming, holding, notices, rows
from reconciler.planning.draft import Draft
from reconciler.planning.world import World

__all__ = ["plan"]


def plan(observed: Observed, limits: Limits) -> Plan:
    """The plan for one cluster. Never raises on what was observed; what is odd becomes a finding."""
    unknown = _unknown_view(observed)
    if unknown:
        return unknown
    draft = Draft(observed, limits)
    world = World(observed)
    notices.report_public_ips(draft)
    notices.report_unseated(draft, world)
    claiming.decide_all(draft, world)
    for load_balancer, frontend, pls in world.frontends_with_pls():
        if arm_ids.key(pls.id) not in draft.moved:
            holding.decide(draft, world, load_balancer, frontend, pls)
    for pls in world.detached():
        if arm_ids.key(pls.id) not in draft.moved:
            holding.decide_detached(draft, world, pls)
    rows.forget(draft, world)
    notices.warn_about_counts(draft, world)
    return draft.finish()


def _unknown_view(observed: Observed) -> Plan | None:
    """P1: an incomplete view of the cluster or of its load balancers stops everything."""
    views = {
        "the Services could not be listed": observed.services,
        "the load balancers could not be listed": observed.load_balancers,
        "the Private Link Services could not be listed": observed.private_link_services,
    }
    draft = Draft(observed, Limits())
    if why := observed.cluster.unresolved:
        views = {}  # all for this one reason
        sentence = f"Cluster {observed.cluster.name} is left untouched: {why}."
        draft.find(Reason.UNKNOWN_VIEW, Severity.ERROR, sentence)
    for what, view in views.items():
        if isinstance(view, Unknown):
            draft.find(
                Reason.UNKNOWN_VIEW,
                Severity.ERROR,
                f"Cluster {observed.cluster.name} is left untouched: {what} ({view.reason}).",
            )
    return draft.untouched() if draft.findings else None
