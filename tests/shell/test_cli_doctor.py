"""The doctor on a world in memory: what is wrong, and what to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler import wiring, wiring_doctor
from reconciler.aks_known import Configured
from reconciler.doctor_permissions import Grant
from reconciler.doctor_rounds import Patient
from reconciler.errors import Denied, NotFound, OutsideError, RetryLater
from reconciler.model import ApiAccess, Json, Service, WriteBack
from reconciler.recording import update_state
from tests import builders
from tests.builders import service
from tests.fakes.cluster import FakeCluster
from tests.fakes.documents import MemoryDocuments
from tests.shell.terminal import WEB, Terminal, given, terminal
from tests.shell.world import World

__all__ = ["terminal"]  # a fixture


@dataclass
class Rights:
    """What Azure tells of the caller."""

    world: World
    actions: tuple[str, ...] = ("*",)
    behind: float = 0
    signed_in: bool = True
    unread: dict[str, OutsideError] = field(default_factory=dict)

    def identity(self) -> str:
        if not self.signed_in:
            raise Denied("Azure gives no token. On a laptop, sign in with: az login.")
        return "no token"

    def at(self, scope: str) -> tuple[Grant, ...]:
        if error := self.unread.get(scope.rpartition("/")[2]):
            raise error
        return (Grant(self.actions),)

    def time(self, subscription: str) -> datetime:
        return self.world.clock.now() - timedelta(seconds=self.behind)


class Reviewing(FakeCluster):
    """A cluster that allows nothing but reads."""

    def may(self, verb: str, resource: str) -> bool:
        return verb in ("get", "list")


@dataclass
class Clinic:
    """The doctor's patient, as a test wants it."""

    terminal: Terminal
    rights: Rights
    queue: Callable[[], int] | None = lambda: 0
    changes: dict[str, Any] = field(default_factory=dict)
    write_back: WriteBack = "status"
    documents: MemoryDocuments | None = None
    app: OutsideError | None = None
    topic: Callable[[], None] | None = None

    def patient(self, settings: Any, out: Any, configs: Any, url: str, key: str) -> Patient:
        world = self.terminal.world

        def app() -> str:
            if self.app:
                raise self.app
            return f"answers at {url} with {key}"

        return Patient(
            configs=[replace(world.configs[c.name], **self.changes) for c in configs],
            limits=world.engine.limits,
            clock=world.clock,
            rights=self.rights,
            azure=world.azure,
            cluster_of=world.engine.cluster_of,
            ledger=world.ledger if self.queue else None,
            queue=self.queue,
            app=app if url else None,
            write_back=self.write_back,
            documents=self.documents,
            topic=self.topic,
        )

    def __call__(self, *words: str) -> tuple[int, list[tuple[str, str, str, str, str]]]:
        """Exit code, and each diagnosis: area, subject, state, sentence, remedy."""
        code, document = self.terminal.json("doctor", *words)
        assert document["healthy"] == (code == 0)
        found = [tuple(each.values()) for each in document["diagnoses"]]
        return code, found

    def amiss(self, state: str = "failed") -> list[tuple[str, str, str]]:
        """Subject, sentence and remedy of what is in this state."""
        return [(subject, said, remedy) for _, subject, s, said, remedy in self()[1] if s == state]


@pytest.fixture
def clinic(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A healthy world, and a doctor."""
    made = Clinic(terminal, Rights(terminal.world))
    monkeypatch.setattr(wiring_doctor, "patient", made.patient)
    return made


def test_all_is_well(clinic: Clinic) -> None:
    """0; each thing that was looked at is told with its value; nothing is written."""
    code, found = clinic()
    assert code == 0
    assert {state for _, _, state, _, _ in found} == {"ok", "skipped"}
    assert ("reading Azure", "prod: load balancers", "ok", "1 with 1 frontends in MC_prod", "") in found
    assert clinic.terminal.world.written() == []
    assert clinic.terminal.world.ledger.states() == ()


def test_in_a_pipe_it_is_plain_text(clinic: Clinic) -> None:
    """Areas, states in words, a count."""
    code, out, err = clinic.terminal("doctor")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert out.startswith("settings\n  ok       read; 1 clusters: prod\nsign-in\n")
    assert out.splitlines()[-1].endswith(" ok, 1 skipped")


def test_wrong_settings_are_diagnoses(clinic: Clinic) -> None:
    """Each mistake by itself, and nothing else is looked at."""
    clinic.terminal.file.write_text("- name: prod\n  mode: all\n- mode: sync\n")
    code, found = clinic()
    assert code == 1
    assert {area for area, *_ in found} == {"settings"}
    assert any("[0].mode" in said for _, _, _, said, _ in found)


def test_nobody_is_signed_in(clinic: Clinic) -> None:
    """The first thing on a new laptop."""
    clinic.rights.signed_in = False
    assert clinic.amiss() == [
        ("Azure", "Azure gives no token. On a laptop, sign in with: az login.", "az login")
    ]


def test_rights_that_are_missing_are_named_with_their_place(clinic: Clinic) -> None:
    """Only those that the mode needs."""
    clinic.rights.actions = ("*/read", "Microsoft.Network/virtualNetworks/*")
    ((where, said, remedy),) = clinic.amiss()
    assert where == "resource group MC_prod"
    assert said == (
        "not granted: privateLinkServices/write, privateLinkServices/delete, "
        "privateLinkServices/privateEndpointConnections/delete, loadBalancers/frontendIPConfigurations/join/action"
    )
    assert "az role assignment create" in remedy
    assert builders.GROUP in remedy
    clinic.changes = {"mode": "plan"}
    assert clinic()[0] == 0


def test_a_clock_that_is_off(clinic: Clinic) -> None:
    """Tokens and leases rest on it."""
    clinic.rights.behind = 400
    ((_, said, remedy),) = clinic.amiss()
    assert "400 s ahead of Azure's" in said
    assert remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [(Denied("403 Forbidden"), "services-read.yaml"), (RetryLater("no route"), "may this network reach it")],
)
def test_a_cluster_that_does_not_answer(clinic: Clinic, error: OutsideError, remedy: str) -> None:
    """A missing right is given, a way is opened."""
    clinic.terminal.world.cluster.fail("list_services", error, times=9)
    ((subject, said, advice),) = clinic.amiss()
    assert (subject, said) == ("prod", str(error))
    assert remedy in advice


@pytest.mark.parametrize("code", ["Unusable", "Forbidden"])
def test_an_access_that_cannot_work_is_no_matter_of_rights(clinic: Clinic, code: str) -> None:
    """No manifest helps where the kubeconfig is not there."""
    clinic.terminal.world.cluster.fail("identity", Denied("there is no kubeconfig", code=code), times=9)
    ((_, said, remedy),) = clinic.amiss()
    assert said == "there is no kubeconfig"
    assert ("`api` of this cluster" in remedy) == (code == "Unusable")
    assert ("kubectl apply" in remedy) == (code == "Forbidden")


def test_a_cluster_that_is_not_resolved_tells_why(clinic: Clinic) -> None:
    """An AKS cluster that is stopped; nothing else of it is looked at."""
    clinic.changes = {"unresolved": "the AKS cluster prod is stopped: az aks start -n prod"}
    _, found = clinic()
    assert [said for _, subject, _, said, _ in found if subject.startswith("prod")] == [
        "the AKS cluster prod is stopped: az aks start -n prod"
    ]


def test_what_was_taken_from_an_aks_cluster_is_told(clinic: Clinic) -> None:
    """A person sees where it looks."""
    aks = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/blue"
    clinic.changes = {"access": ApiAccess(aks=aks)}
    said = [said for area, _, _, said, _ in clinic()[1] if area == "clusters"]
    assert said[0] == "the AKS cluster blue was read: load balancers in MC_prod, subnet aks-vnet/default"


def test_another_cluster_under_the_address(clinic: Clinic) -> None:
    """With the command that accepts it."""
    update_state(clinic.terminal.world.ledger, "prod", lambda s: replace(s, identity="before"))
    ((_, said, remedy),) = clinic.amiss()
    assert "its identity is uid-of-prod, it was before" in said
    assert remedy.endswith("plsctl accept-identity uid-of-prod --cluster prod")


def test_results_that_cannot_be_written_back_are_a_warning(clinic: Clinic) -> None:
    """Private links work without them."""
    world = clinic.terminal.world
    clusters = {"prod": Reviewing([WEB], uid="uid-of-prod")}
    clinic.terminal.world.clusters.update(clusters)
    ((_, said, remedy),) = clinic.amiss("warning")
    lacks = "to patch services/status and to create events and to patch events"
    assert said == f"Services are not told everything: not allowed {lacks}"
    assert "services-status.yaml" in remedy
    assert world.configs["prod"].mode == "sync"


@pytest.mark.parametrize(
    ("write_back", "lacks"), [("off", None), ("annotations", "to patch services/status and ")]
)
def test_what_is_written_back_decides_which_rights_are_asked_for(
    clinic: Clinic, write_back: str, lacks: str | None
) -> None:
    """Nothing for nothing; annotations need more than the status does."""
    clinic.terminal.world.clusters["prod"] = Reviewing([WEB], uid="uid-of-prod")
    clinic.changes = {"write_back": write_back}
    clinic.write_back = "off" if lacks else "annotations"  # a cluster's own word counts
    told = [said for _, said, _ in clinic.amiss("warning")]
    assert bool(told) == bool(lacks)
    assert all(lacks in said and said.endswith("to patch services") for said in told if lacks)
    remedies = [remedy for _, _, remedy in clinic.amiss("warning")]
    assert all("services-annotate.yaml" in remedy and "services-status.yaml" in remedy for remedy in remedies)


def test_a_role_for_groups_only_is_a_warning(clinic: Clinic) -> None:
    """PLSs in other groups cannot be seen."""
    clinic.terminal.world.azure.fail("list_private_link_services", Denied("403"), times=9)
    (warning,) = clinic.amiss("warning")
    assert "only resource groups can be read" in warning[1]
    assert clinic()[0] == 0


@pytest.mark.parametrize("missing", ["list_load_balancers", "list_public_ips", "get_subnet"])
def test_what_cannot_be_read_in_azure(clinic: Clinic, missing: str) -> None:
    """By its place, in Azure's words."""
    clinic.terminal.world.azure.fail(missing, Denied(f"AuthorizationFailed for {missing}"), times=9)
    assert [said for _, said, _ in clinic.amiss()] == [f"AuthorizationFailed for {missing}"]


def test_a_default_subnet_that_is_not_there(clinic: Clinic) -> None:
    """With the command that lists those that are."""
    clinic.terminal.world.azure.fail("get_subnet", NotFound("404"), times=9)
    ((subject, _, remedy),) = clinic.amiss()
    assert subject == "prod: subnet default"
    assert remedy.startswith("az network vnet subnet list --subscription ")
    assert remedy.endswith(" -g MC_prod --vnet-name aks-vnet -o table")


@given(service("web", settings={"ip-configuration-subnet": "pls-subnet"}), policy="Enabled")
def test_subnets_that_services_name_are_looked_at(clinic: Clinic) -> None:
    """Not the default one alone."""
    subjects = [subject for area, subject, *_ in clinic()[1] if area == "network"]
    assert subjects == ["prod: subnet pls-subnet", "prod: subnet default"]


@given(service("web", settings={"ip-configuration-subnet": "pls-subnet", "resource-group": "Links"}))
def test_rights_are_asked_for_where_services_want_something(clinic: Clinic) -> None:
    """In the group and the subnet that an annotation names; a claim of nobody's asks for nothing."""
    clinic.rights.actions = ("*/read",)
    said = {subject: said for subject, said, _ in clinic.amiss()}
    assert said["resource group Links"] == (
        "not granted: privateLinkServices/write, privateLinkServices/delete, "
        "privateLinkServices/privateEndpointConnections/delete"
    )
    subnet = "resource group MC_prod, virtualNetworks/aks-vnet/subnets/pls-subnet"
    assert "virtualNetworks/subnets/join/action" in said[subnet]
    scopes = [subject for area, subject, *_ in clinic()[1] if area == "permissions"]
    assert len(scopes) == len(set(scopes)) == 4


@given(service("web", settings={"ip-configuration-subnet": "pls-subnet", "resource-group": "Typo"}))
@pytest.mark.parametrize(
    ("error", "said", "advice"),
    [
        (
            NotFound("404"),
            "it is not there (404)",
            "correct service.beta.kubernetes.io/azure-pls-resource-group",
        ),
        (Denied("403"), "403", "give the identity the project's roles"),
        (RetryLater("429"), "429", "try again"),
    ],
)
def test_a_group_that_a_service_misspells_is_not_the_clusters_fault(
    clinic: Clinic, error: OutsideError, said: str, advice: str
) -> None:
    """It is told with its place and what to do, and the rights at the other places are still asked for."""
    clinic.rights.unread = {"Typo": error}
    [(subject, sentence, remedy)] = clinic.amiss()
    assert (subject, sentence) == ("resource group Typo", said)
    assert remedy.startswith(advice)
    assert any("subnets/pls-subnet" in subject for _, subject, *_ in clinic()[1])


@pytest.mark.parametrize("answer", [None, {"version": 1}, Denied("403")])
def test_status_documents_are_looked_at(clinic: Clinic, answer: Json | OutsideError | None) -> None:
    """The dashboard reads them; who may not is told the role."""

    clinic.documents = MemoryDocuments()
    if isinstance(answer, OutsideError):
        clinic.documents.fail = answer
    elif answer:
        clinic.documents.write("prod", answer)
    ((state, said, remedy),) = [each[2:] for each in clinic()[1] if each[1] == "status documents"]
    if isinstance(answer, OutsideError):
        assert (state, said) == ("failed", "403")
        assert "--role 'Storage Blob Data Contributor'" in remedy
    else:
        assert (state, said.startswith("readable")) == ("ok", True)


def test_storage_that_cannot_be_read(clinic: Clinic) -> None:
    """Tables and queue each by itself."""

    def refused() -> int:
        raise Denied("403 AuthorizationPermissionMismatch")

    clinic.terminal.world.azure.fail("states", Denied("403"), times=9)
    clinic.queue = refused
    found = clinic.amiss()
    assert [subject for subject, _, _ in found] == ["tables", "queue"]
    assert ["Table" in remedy for _, _, remedy in found] == [True, False]


def test_a_queue_that_is_not_there_yet_is_a_warning(clinic: Clinic) -> None:
    """Before the function app's first start."""

    def absent() -> int:
        raise NotFound("404")

    clinic.queue = absent
    assert [subject for subject, _, _ in clinic.amiss("warning")] == ["queue"]


def test_a_topic_that_takes_no_events_of_ours(clinic: Clinic) -> None:
    """The role by its name; where nothing is published nothing is said."""

    def refused() -> None:
        raise Denied("403")

    assert "published events" not in [area for area, *_ in clinic()[1]]
    clinic.topic = lambda: None
    assert [state for area, _, state, *_ in clinic()[1] if area == "published events"] == ["ok"]
    clinic.topic = refused
    ((subject, _, remedy),) = clinic.amiss()
    assert (subject, "--role 'EventGrid Data Sender'" in remedy) == ("topic", True)


def test_without_storage_it_is_skipped(clinic: Clinic) -> None:
    """A laptop that plans needs none."""
    clinic.queue = None
    assert "ledger" in [subject for subject, _, _ in clinic.amiss("skipped")]
    assert clinic()[0] == 0


def test_what_waits_for_a_person_is_told(clinic: Clinic) -> None:
    """A pause, and what the brake holds back, with the commands."""
    change = {"paused": True, "last_run": {"heldDigest": "abc"}}
    update_state(clinic.terminal.world.ledger, "prod", lambda s: replace(s, **change))  # type: ignore[arg-type]
    remedies = [remedy for _, _, remedy in clinic.amiss("warning")]
    assert remedies == [
        "plsctl resume --cluster prod",
        "plsctl plan --cluster prod; plsctl release abc --cluster prod",
    ]


def test_the_function_app_is_looked_at_where_its_address_is_given(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key may come from the environment, where no history of commands keeps it."""
    monkeypatch.setenv("FUNCTION_KEY", "k")
    _, found = clinic("--function-url", "https://app")
    assert [said for area, _, _, said, _ in found if area == "function app"] == [
        "answers at https://app with k"
    ]


def test_a_key_that_is_refused_is_no_matter_of_the_address(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets its own command."""
    monkeypatch.setenv("FUNCTION_KEY", "k")
    for error, command in ((Denied("401"), "keys list"), (RetryLater("timeout"), "functionapp show")):
        clinic.app = error
        (remedy,) = [
            each[4] for each in clinic("--function-url", "https://app")[1] if each[0] == "function app"
        ]
        assert command in remedy


@given(WEB, clusters=("prod", "dev"))
def test_places_that_clusters_share_are_asked_for_once(clinic: Clinic) -> None:
    """A hundred clusters of one network are one question."""
    scopes = [subject for area, subject, *_ in clinic()[1] if area == "permissions"]
    assert len(scopes) == len(set(scopes))
    (only,) = {
        subject.split(":")[0] for area, subject, *_ in clinic("--cluster", "dev")[1] if area == "clusters"
    }
    assert only == "dev"


def test_no_service_is_no_patient(clinic: Clinic) -> None:
    """A fresh cluster has no load balancer; that may also be the wrong group."""
    clinic.changes = {"load_balancer_resource_group": "elsewhere"}
    assert isinstance(WEB, Service)
    (told,) = clinic.amiss("warning")
    assert "there is none in resource group elsewhere" in told[1]


def test_clusters_that_could_not_be_searched_for_are_a_failure(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is not well where nobody knows of what."""
    problem = "discover[0]: which AKS clusters bear the tag is unknown (403)"
    for configured, states in (
        (Configured(clinic.terminal.world.configs, (problem,)), {"discover": "failed"}),
        (Configured({}), {"clusters": "warning"}),
    ):
        found = SimpleNamespace(configured=lambda configured=configured: configured)
        monkeypatch.setattr(wiring, "configs_of", lambda settings, aks, found=found: found)
        told = [each for each in clinic()[1] if each[0] == "settings" and each[2] != "ok"]
        assert {subject: state for _, subject, state, *_ in told} == states
        assert all("az aks list" in remedy for *_, remedy in told)
