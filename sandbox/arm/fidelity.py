"""What is guessed: the one table of answers and behaviours that nobody has shown us real ARM giving.

A guessed refusal is a row of `sandbox.arm.errors` whose evidence is INF or UNV; other guessed answers and
silent behaviours are rows here. Guessed answers carry the header `x-sim-fidelity: guess`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.arm.errors import Situation, aks, gateway, private_link, provider


@dataclass(frozen=True)
class Guess:
    """One guess: about what, and what is done."""

    about: str
    choice: str


MANAGED_NIC = Guess(
    "GET of the network interface of a PLS or private endpoint", "the JSON around its addresses"
)
OPERATION_RESULT = Guess(
    "GET of operationResults", "202 while running; then 204 after a DELETE, 200 and the resource after a PUT"
)
VISIBILITY_CHECK = Guess(
    "POST checkPrivateLinkServiceVisibility",
    "visible to `*`, a listed subscription, the PLS's own subscription",
)
AUTO_APPROVED = Guess(
    "GET autoApprovedPrivateLinkServices",
    "the PLSs whose autoApproval lists the caller's subscription or `*`",
)
IDENTITY_REFUSED = Guess(
    "managed identity, bad request",
    "401 without X-IDENTITY-HEADER, 403 with a wrong one, 400 without resource",
)
CONNECTION_DELETE = Guess(
    "DELETE of a private endpoint connection",
    "202 for a third of the time; the endpoint becomes Disconnected",
)
TAGS = Guess("Microsoft.Resources/tags/default", "200 at once; the resource's etag changes")
PERMISSIONS = Guess(
    "GET Microsoft.Authorization/permissions", "everything, or what the back door said; never enforced"
)
GROUP_DELETE = Guess("DELETE of a resource group", "200 at once, whatever is in it")
BACKEND_POOL = Guess("PUT and DELETE of a backend address pool", "200 or 201, 202 or 204, done at once")
STOPPED_CREDENTIALS = Guess("credentials of an AKS cluster that is stopped", "200, as of one that runs")

ANSWERS = (
    MANAGED_NIC,
    OPERATION_RESULT,
    VISIBILITY_CHECK,
    AUTO_APPROVED,
    IDENTITY_REFUSED,
    CONNECTION_DELETE,
    TAGS,
    PERMISSIONS,
    GROUP_DELETE,
    BACKEND_POOL,
    STOPPED_CREDENTIALS,
)
"""Answers that are no refusals, marked by the header."""

BEHAVIOURS = (
    Guess(
        "contention (option)",
        "a PLS write is in the way of the next one below its load balancer or virtual network until its operation ends",
    ),
    Guess("If-Match on a PLS", "honoured, as on every other network resource"),
    Guess("etags", "the end of a PLS write or delete changes those of its subnet, network and load balancer"),
    Guess("time", "subnet, network and public IP take a third of the provisioning time, load balancers none"),
    Guess(
        "a second PUT while the first runs",
        "AnotherOperationInProgress; real ARM may also supersede the first",
    ),
    Guess("an older api-version", "properties it does not know are kept as sent; real ARM may drop them"),
    Guess("events", "one per write or delete, at the end of its operation; none for other subscriptions"),
    Guess(
        "autoApproval without visibility", "accepted and without effect, unless strict_auto_approval is set"
    ),
    Guess(
        "stop and start of an AKS cluster",
        "the API server refuses connections from the first moment of a stop to the end of a start; on real AKS "
        "its name is not found; the power state changes at the end",
    ),
    Guess(
        "an AKS cluster without Entra", "the user's kubeconfig holds the admin's token, and no certificate"
    ),
)
"""What cannot carry a header."""


def refusals() -> Iterator[tuple[str, Situation]]:
    """Every refusal with the name of its row."""
    for module in (gateway, provider, private_link, aks):
        for name, row in vars(module).items():
            if isinstance(row, Situation):
                yield name, row


def markdown() -> str:
    """The table of guesses as README shows it."""
    lines = ["| What | What the sandbox does | Mark |", "|---|---|---|"]
    for _, row in refusals():
        if row.guess:
            lines.append(f"| {row.name} | {row.status} `{row.code}` | header |")
    lines += [f"| {guess.about} | {guess.choice} | header |" for guess in ANSWERS]
    lines += [f"| {guess.about} | {guess.choice} | none |" for guess in BEHAVIOURS]
    return "\n".join(lines)
