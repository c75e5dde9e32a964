"""The dashboard of a large cluster: its answers over HTTP, and what its status document weighs.

The document is made by the product of rows of 2,000 Private Link Services, and put where the worker puts it, beside
a full page of history; the functions' host serves it, as it does in the sandbox.
"""

from __future__ import annotations

import gzip
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median

from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.apply import Applied
from reconciler.document import digest, document_of
from reconciler.model import Json, Ownership, ServiceRef, Sharing
from reconciler.observe import Look, Memory
from reconciler.plan import Finding, Plan, Reason, Severity
from reconciler.ports import ClusterState, HistoryEntry
from reconciler.reconcile import Run
from reconciler.recording import report_of
from reconciler.settings import StorageSettings
from sandbox.up import Sandbox, SandboxOptions
from tests import builders
from tests.bench.figures import Figure, Target

PLS = 2000
REFUSED = 100
PER_BALANCER = 8
ALLOWED = 0.5  # seconds
TIMES = 20

LATER = Target("Dashboard with 2,000 PLSs: the slowest of 20 answers", must=1.0)
FIRST = Target("Dashboard with 2,000 PLSs: the first answer of a process", must=1.0)
SIZE = Target("Status document of 2,000 PLSs, as stored")
BUILT = Target("To make that document and see that nothing changed, in each run")
TARGETS = (LATER, FIRST, SIZE, BUILT)


def measure() -> Iterator[Figure]:
    """A host of its own; its first answer also reads the document and loads the templates."""
    run = a_run()
    document = document_of(run)
    with Sandbox.start(SandboxOptions(clusters=("prod",), timers=False)) as sandbox:
        store(sandbox, run, document)
        assert sandbox.function("GET", "/api/status?cluster=dev").status == 404  # the app is wired by now
        first, body = timed(sandbox)
        later = [timed(sandbox)[0] for _ in range(TIMES)]
    text = gzip.decompress(body)
    assert text.count(b'class=\\"row front\\"') == PLS
    yield LATER.figure(
        f"{max(later) * 1000:.0f} ms",
        f"{ALLOWED * 1000:.0f} ms",
        max(later) / ALLOWED,
        f"median {median(later) * 1000:.0f} ms; {len(text) / 1e6:.1f} MB of JSON, {len(body) / 1000:.0f} kB packed",
    )
    yield FIRST.figure(f"{first * 1000:.0f} ms", f"{ALLOWED * 1000:.0f} ms", first / ALLOWED)
    plain = json.dumps(document).encode()
    yield SIZE.figure(f"{len(gzip.compress(plain, 6)) / 1000:.0f} kB", f"{len(plain) / 1e6:.1f} MB of JSON")
    yield BUILT.figure(f"{seconds_to_build(run) * 1000:.0f} ms", "no call to anything")


def timed(sandbox: Sandbox) -> tuple[float, bytes]:
    """Seconds until the whole answer is here, and the answer as it came."""
    functions = sandbox.endpoints["functions"]
    headers = {"x-functions-key": functions["keys"]["masterKey"], "Accept-Encoding": "gzip"}
    request = urllib.request.Request(f"{functions['url']}/api/dashboard/data", headers=headers)
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
    return time.perf_counter() - began, body


def seconds_to_build(run: Run) -> float:
    """The best of five."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        digest(document_of(run))
        found.append(time.perf_counter() - began)
    return min(found)


def store(sandbox: Sandbox, run: Run, document: Json) -> None:
    """What the worker leaves behind after that run."""
    account = StorageAccount(StorageSettings(connection_string=sandbox.settings["AzureWebJobsStorage"]))
    ledger = TableLedger(account)
    ledger.create_tables()
    BlobDocuments(account).write("prod", document)
    now = datetime.now(UTC)
    report = report_of(run, "run", "event", now) | {"began": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    ledger.write_state(replace(ledger.state("prod"), document=digest(document), last_run=report))
    sentence = "update Private Link Service pls-7 of Service shop/web7: visibility is not as wished"
    lines = [HistoryEntry("prod", now, "write", "Repair", sentence, result="accepted") for _ in range(200)]
    ledger.add_history(lines)


def a_run() -> Run:
    """A quiet run: every Service owns a PLS and has a sharer, some others were refused."""
    links = [link(number) for number in range(PLS)]
    sharing = [tenant for row in links for tenant in tenants(row)]
    findings = [refusal(links[number], number) for number in range(REFUSED)]
    plan = Plan("prod", ownership=tuple(links), sharing=tuple(sharing), findings=tuple(findings))
    look = Look(builders.observe(), Memory(ClusterState("prod")))
    return Run(builders.CONFIG, look, plan, Applied(rows=tuple(links)))


def link(number: int) -> Ownership:
    """One row of the ledger, as long as they are in practice."""
    balancer = builders.network_id("loadBalancers", f"internal-{number // PER_BALANCER}")
    owner = ServiceRef(f"team-{number % 40}", f"web-{number}", f"{number:08d}-1111-4111-8111-111111111111")
    return Ownership(
        "prod",
        builders.pls_id(f"pls-web-{number}"),
        f"{balancer}/frontendIPConfigurations/a{number:031d}",
        owner,
        resource_guid="g",
        alias=f"pls-web-{number}.{number:08d}-2222-4222-8222-222222222222.eastus.azure.privatelinkservice",
        state="Succeeded",
        nat_ips=(f"10.1.{number // 250}.{number % 250}",),
        connections={"Approved": number % 5, "Pending": number % 2},
    )


def tenants(row: Ownership) -> tuple[Sharing, ...]:
    """The owner and one more."""
    second = ServiceRef(row.owner.namespace, f"{row.owner.name}-admin", f"{row.owner.uid[:-1]}2")
    return (
        Sharing("prod", row.pls_id, row.frontend_id, row.owner, "owner"),
        Sharing("prod", row.pls_id, row.frontend_id, second, "shares"),
    )


def refusal(row: Ownership, number: int) -> Finding:
    """A Service that may not."""
    service = f"team-{number % 40}/extra-{number}"
    sentence = (
        f"Service {service} has settings of its own, but Private Link Service {row.pls_id} belongs to Service "
        f"{row.owner.key}: take the settings away to share it, or use a frontend of its own"
    )
    return Finding(Reason.NOT_OWNER, Severity.ERROR, sentence, service, row.frontend_id, row.pls_id)
