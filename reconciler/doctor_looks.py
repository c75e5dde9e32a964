"""The doctor's looks: each asks one thing of the outside and says what it found.

Reads only: what may be written is asked (Azure's permissions, the cluster's access reviews), never tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from reconciler import arm_ids, doctor
from reconciler.doctor import Diagnosis
from reconciler.doctor_clusters import cluster_looks
from reconciler.doctor_permissions import Need, needs, permitted, place_of, remedy
from reconciler.doctor_rounds import Look, Patient, Rights
from reconciler.errors import NotFound
from reconciler.model import ClusterConfig
from reconciler.ports import Documents, Ledger


def looks(patient: Patient) -> list[Look]:
    """Everything there is to look at, each place once however many clusters share it."""
    found = [Look("sign-in", "Azure", partial(_signed_in, patient.rights), "az login")]
    subscriptions = sorted({c.subscription for c in patient.configs if c.subscription})
    found += [_subscription(patient, subscription) for subscription in subscriptions]
    resolved = [config for config in patient.configs if not config.unresolved]
    found += _permissions(patient, resolved)
    for config in patient.configs:
        found += cluster_looks(patient, config)
    return [*found, *_storage(patient), *_topic(patient), *_app(patient)]


def _signed_in(rights: Rights) -> Iterator[Diagnosis]:
    yield Diagnosis("sign-in", "Azure", "ok", f"signed in as {doctor.who(rights.identity())}")


def _subscription(patient: Patient, subscription: str) -> Look:
    run = partial(_clock, patient, subscription)
    return Look(
        "clock", f"subscription {subscription}", run, f"az account show --subscription {subscription}"
    )


def _clock(patient: Patient, subscription: str) -> Iterator[Diagnosis]:
    yield doctor.skew(patient.rights.time(subscription), patient.clock.now(), "Azure")


# -- permissions


def _permissions(patient: Patient, configs: Iterable[ClusterConfig]) -> list[Look]:
    """One look per scope, with the actions that any cluster needs there."""
    scopes: dict[str, tuple[str, dict[str, None]]] = {}
    for config in configs:
        for need in needs(config, patient.limits.subnet_policy):
            _, actions = scopes.setdefault(arm_ids.key(need.scope), (need.scope, {}))
            actions.update(dict.fromkeys(need.actions))
    return [
        Look(
            "permissions",
            place_of(scope),
            partial(_permitted, patient.rights, Need(scope, tuple(actions))),
            remedy(scope),
        )
        for scope, actions in scopes.values()
    ]


def _permitted(rights: Rights, need: Need) -> Iterator[Diagnosis]:
    yield permitted(rights.at(need.scope), need)


# -- storage, function app


def _storage(patient: Patient) -> list[Look]:
    if patient.ledger is None or patient.queue is None:
        skipped = Diagnosis(
            "storage",
            "ledger",
            "skipped",
            "no storage is configured (AzureWebJobsStorage): plan can do without",
        )
        return [Look("storage", "ledger", lambda: [skipped])]
    return [
        Look("storage", "tables", partial(_tables, patient.ledger, patient.configs), _role("Table")),
        Look("storage", "queue", partial(_queue, patient.queue), _role("Queue")),
        *(
            Look(
                "storage",
                "status documents",
                partial(_documents, patient.documents, config),
                _role("Blob"),
                f"plsctl resync --cluster {config.name} writes it anew; or look at the network between",
            )
            for config in patient.configs[:1]
            if patient.documents
        ),
    ]


def _role(kind: str) -> str:
    """The role of a part of the storage account."""
    role = f"Storage {kind} Data Contributor"
    return f"az role assignment create --assignee OBJECT_ID --role '{role}' --scope ACCOUNT_ID"


def _tables(ledger: Ledger, configs: Sequence[ClusterConfig]) -> Iterator[Diagnosis]:
    names = [config.name for config in configs]
    states = {state.cluster: state for state in ledger.states()}
    for name in names[:1]:
        ledger.lease(name), ledger.ownership(name), ledger.sharing(name), ledger.history(name, 1)
    yield Diagnosis(
        "storage",
        "tables",
        "ok",
        f"readable; {sum(n in states for n in names)} of {len(names)} clusters have run",
    )
    for name in names:
        state = states.get(name)
        if state and state.paused:
            yield Diagnosis(
                "storage", name, "warning", "the cluster is paused", f"plsctl resume --cluster {name}"
            )
        if state and state.last_run.get("heldDigest"):
            held = state.last_run["heldDigest"]
            sentence = f"deletes are held back under {held}"
            yield Diagnosis(
                "storage",
                name,
                "warning",
                sentence,
                f"plsctl plan --cluster {name}; plsctl release {held} --cluster {name}",
            )


def _documents(documents: Documents, config: ClusterConfig) -> Iterator[Diagnosis]:
    found = documents.read(config.name)
    said = "readable" if found else "readable; the first complete run writes the first"
    yield Diagnosis("storage", "status documents", "ok", said)


def _queue(count: Callable[[], int]) -> Iterator[Diagnosis]:
    try:
        yield Diagnosis("storage", "queue", "ok", f"readable; about {count()} messages wait")
    except NotFound:
        sentence = "the queue is not there yet: the function app makes it at its first run"
        yield Diagnosis(
            "storage", "queue", "warning", sentence, "deploy the function app, or run: plsctl apply"
        )


def _topic(patient: Patient) -> list[Look]:
    if patient.topic is None:
        return []
    role = "az role assignment create --assignee OBJECT_ID --role 'EventGrid Data Sender' --scope TOPIC_ID"
    wrong = "compare EVENTS_TOPIC_ENDPOINT with: az eventgrid topic show --ids TOPIC_ID --query endpoint"
    return [Look("published events", "topic", partial(_admitted, patient.topic), role, wrong)]


def _admitted(topic: Callable[[], None]) -> Iterator[Diagnosis]:
    topic()
    yield Diagnosis("published events", "topic", "ok", "takes events of this identity")


def _app(patient: Patient) -> list[Look]:
    if patient.app is None:
        said = Diagnosis("function app", "", "skipped", "not asked: give its address with --function-url")
        return [Look("function app", "", lambda: [said])]
    return [
        Look(
            "function app",
            "",
            partial(_reachable, patient.app),
            "az functionapp keys list --name NAME --resource-group GROUP; put one of functionKeys into FUNCTION_KEY",
            "az functionapp show --name NAME --resource-group GROUP --query '{host: defaultHostName, state: state}'",
        )
    ]


def _reachable(app: Callable[[], str]) -> Iterator[Diagnosis]:
    yield Diagnosis("function app", "", "ok", app())
