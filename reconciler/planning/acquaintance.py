"""Who is or was a tenant of a PLS: owner tag, ledger, sharing ledger, UID prefixes of the frontend's rules.

An index over one observation, so that the many PLSs of a mass delete are looked up, not searched for.
"""

from __future__ import annotations

from collections import defaultdict

from reconciler import arm_ids
from reconciler.claims import printable
from reconciler.model import (
    OWNER_TAG,
    Frontend,
    Observed,
    PrivateLinkService,
    ServiceRef,
    Sharing,
    known,
)
from reconciler.tenancy import standing_on, uid_prefix


def tagged_owner(pls: PrivateLinkService) -> ServiceRef:
    """Whom the owner tag names. People type it in any case; Kubernetes has lower-case names only."""
    namespace, _, name = (pls.tag(OWNER_TAG) or "").lower().partition("/")
    return ServiceRef(namespace.strip(), name.strip())


def owner_name(pls: PrivateLinkService) -> str:
    """The owner tag for people, "" where there is none. Whoever may tag the PLS wrote it."""
    return printable((pls.tag(OWNER_TAG) or "").strip())


def owner_key(pls: PrivateLinkService) -> str:
    """The Service that the owner tag names, as Kubernetes spells it: whom findings and deletes are about."""
    return owner_name(pls).lower()


class Acquaintance:
    """Knows every tenant that anything tells of."""

    def __init__(self, observed: Observed) -> None:
        services = known(observed.services)
        self._by_prefix = {uid_prefix(s.uid): s.ref for s in services}
        self._deleting = {s.key: s.ref for s in services if s.deleting}
        self._owners: dict[str, list[ServiceRef]] = defaultdict(list)
        self._sharing: dict[str, list[Sharing]] = defaultdict(list)
        for row in observed.ownership:
            self._owners[arm_ids.key(row.pls_id)].append(row.owner)
        for share in observed.sharing:
            self._sharing[arm_ids.key(share.pls_id)].append(share)

    def sharing(self, pls_id: str) -> list[Sharing]:
        """The sharing rows of a PLS."""
        return self._sharing.get(arm_ids.key(pls_id), [])

    def tenants(self, pls: PrivateLinkService, frontend: Frontend | None) -> frozenset[ServiceRef] | None:
        """Everybody who is or was a tenant; None where the frontend's rules name somebody unknown."""
        prefixes = standing_on(frontend) if frontend else frozenset()
        refs = {*self._remembered(pls), *(self._by_prefix[p] for p in prefixes if p in self._by_prefix)}
        refs = self._with_uids(refs)
        if prefixes - {uid_prefix(r.uid) for r in refs if r.uid}:
            return None
        return frozenset(refs)

    def _remembered(self, pls: PrivateLinkService) -> list[ServiceRef]:
        refs = [*self._owners.get(arm_ids.key(pls.id), ()), *(s.service for s in self.sharing(pls.id))]
        tagged = tagged_owner(pls)
        if tagged.namespace and "/" not in tagged.name:
            refs.append(tagged)
        return [ref for ref in refs if ref.name]

    def _with_uids(self, refs: set[ServiceRef]) -> set[ServiceRef]:
        """A name without a UID is dropped where the same name is known with one."""
        uids = {r.key for r in refs if r.uid}
        return {self._deleting.get(r.key, r) if not r.uid else r for r in refs if r.uid or r.key not in uids}
