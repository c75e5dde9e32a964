"""The commands beside plan and apply: history, explain, and what is asked of the function app through storage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler import wiring
from reconciler.aks_known import Configured
from reconciler.cli import main
from reconciler.cli.words import PROGRAM
from reconciler.errors import Denied, RetryLater
from reconciler.model import Limits
from reconciler.recording import update_state
from tests.builders import service
from tests.contract.azure_world import StaticToken
from tests.shell import world as worlds
from tests.shell.terminal import CLUSTER, TYPO, WEB, Terminal, given, terminal

__all__ = ["terminal"]  # a fixture


# -- explain


def test_explain_ends_with_0_for_one_that_is_ready(terminal: Terminal) -> None:
    """Its alias is the last word."""
    terminal("apply")
    terminal.world.forget_calls()
    code, out, _ = terminal("explain", "shop/web")
    assert code == 0
    assert out.startswith("shop/web in prod: ready\n")
    assert f"=> Provisioned: Private Link Service pls-0 (alias {terminal.world.pls('pls-0').alias}" in out
    assert terminal.world.written() == []
    assert not set(worlds.LEDGER_WRITES) & set(terminal.world.calls)


@given(TYPO)
def test_explain_ends_with_3_and_the_check_that_decides(terminal: Terminal) -> None:
    """In a pipe the outcome is a word, not a colour."""
    code, out, _ = terminal("explain", "shop/typo")
    assert code == 3
    assert "  ok     asks " in out
    assert "  NO     settings " in out
    assert "\x1b" not in out
    assert out.splitlines()[-1].startswith("  => RefusedInvalidSettings: Service shop/typo gets no")


@given(WEB, clusters=("prod", "dev"))
def test_explain_finds_the_cluster(terminal: Terminal) -> None:
    """Only those that have the Service are told of; none has one: all, and 1."""
    code, document = terminal.json("explain", "shop/web")
    assert (code, [e["cluster"] for e in document["explanations"]]) == (3, ["prod"])
    code, document = terminal.json("explain", "shop/nobody")
    assert (code, [e["cluster"] for e in document["explanations"]]) == (1, ["dev", "prod"])
    assert {e["verdict"] for e in document["explanations"]} == {
        "It is told nothing (Service: there is none of this name)."
    }


@given(WEB, clusters=("prod", "dev"))
def test_explain_tells_of_a_cluster_that_could_not_be_read(terminal: Terminal) -> None:
    """The Service may be there."""
    terminal.world.clusters["dev"].fail("list_services", Denied("401 Unauthorized"))
    code, out, _ = terminal("explain", "shop/web")
    assert code == 1
    assert "shop/web in dev: not ready" in out
    assert "401 Unauthorized" in out


def test_explain_of_a_service_whose_azure_side_is_unread_ends_with_1(terminal: Terminal) -> None:
    """The Service was seen; what it has was not."""
    terminal.world.azure.fail("list_load_balancers", Denied("403"))
    code, out, _ = terminal("explain", "shop/web")
    assert code == 1
    assert "NO     cluster" in out


def test_explain_reads_a_service_of_another_type_by_its_name(terminal: Terminal) -> None:
    """Lists hold load balancers only."""
    terminal.world.cluster.put(replace(service("plain", asks=False), type="ClusterIP"))
    code, out, _ = terminal("explain", "shop/plain")
    assert code == 3
    assert "NO     load balancer  type ClusterIP" in out


@pytest.mark.parametrize("name", ["web", "/web", "shop/"])
def test_explain_wants_namespace_and_name(terminal: Terminal, name: str) -> None:
    """As the owner's tag has it."""
    code, _, err = terminal("explain", name)
    assert code == 1
    assert "write NAMESPACE/NAME" in err


def test_a_service_that_cannot_be_read_by_its_name_may_be_there(terminal: Terminal) -> None:
    """Not to know of it is not to know that there is none."""
    terminal.world.cluster.fail("get_service", Denied("403 Forbidden"), times=9)
    code, out, _ = terminal("explain", "shop/other")
    assert code == 1
    assert "not of type LoadBalancer, and could not be read by its name (403 Forbidden)" in out
    assert "there is none" not in out


# -- history


def test_history_has_the_newest_first(terminal: Terminal) -> None:
    """Writes, findings and decisions."""
    terminal("apply")
    terminal.world.clock.forward(60)
    terminal("pause")
    code, out, _ = terminal("history")
    assert code == 0
    first, *_, last = out.splitlines()
    assert "prod  Person: the cluster was paused" in first
    assert "Create (accepted): create Private Link Service pls-0" in last
    code, document = terminal.json("history", "--limit", "1", "--cluster", "prod")
    assert (code, document["version"], [e["kind"] for e in document["entries"]]) == (0, 1, ["person"])


@given(WEB, clusters=("prod", "dev"))
def test_history_of_several_clusters_is_one_list(terminal: Terminal) -> None:
    """By time; the limit is of the whole."""
    terminal("pause", "--cluster", "dev")
    terminal.world.clock.forward(60)
    terminal("pause", "--cluster", "prod")
    words = ("--cluster", "dev", "--cluster", "prod")
    _, document = terminal.json("history", *words)
    assert [e["cluster"] for e in document["entries"]] == ["prod", "dev"]
    assert len(terminal.json("history", *words, "--limit", "1")[1]["entries"]) == 1


# -- what is asked of the function app


@given(WEB, clusters=("prod", "dev"))
def test_resync_asks_for_runs(terminal: Terminal) -> None:
    """Of all, or of those named; paused ones are left alone, and said to be."""
    assert terminal.json("resync") == (0, {"queued": ["dev", "prod"], "paused": []})
    assert {m.wake_up.cluster for m in terminal.world.queue.messages} == {"dev", "prod"}
    both = ("--cluster", "prod", "--cluster", "dev")
    assert terminal.json("resync", *both) == (0, {"queued": ["prod", "dev"], "paused": []})
    update_state(terminal.world.ledger, "dev", lambda s: replace(s, paused=True))
    code, out, _ = terminal("resync")
    assert (code, out) == (0, "asked for a run of prod; paused, and left alone: dev\n")
    code, _, err = terminal("resync", "--cluster", "dev")
    assert code == 1
    assert "cluster dev is paused; resume it first" in err


def test_resync_can_run_here_and_now(terminal: Terminal) -> None:
    """Under the lease, as a function would."""
    code, document = terminal.json("resync", "--wait")
    assert code == 0
    assert [w["result"] for w in document["run"]["writes"]] == ["accepted"]


@given(WEB, TYPO)
def test_resync_here_tells_what_was_done_and_found(terminal: Terminal) -> None:
    """A person who waits wants to read it."""
    code, out, err = terminal("resync", "--wait")
    assert (code, err) == (0, "")
    assert "  create Private Link Service pls-0 for Service shop/web on frontend " in out
    assert ": accepted\n" in out
    assert "  ! error InvalidSettings: Service shop/typo gets no Private Link Service" in out


def test_resync_here_ends_with_1_where_it_fails(terminal: Terminal) -> None:
    """A cluster that does not answer."""
    terminal.world.cluster.fail("list_services", RetryLater("no answer"))
    assert terminal("resync", "--wait")[0] == 1


def test_pause_and_resume(terminal: Terminal) -> None:
    """One cluster is configured: it need not be named."""
    code, out, _ = terminal("pause")
    assert code == 0
    assert "plsctl resume --cluster prod" in out
    assert terminal.world.ledger.state("prod").paused
    assert terminal.json("resume") == (0, {"cluster": "prod", "paused": False, "queued": ["prod"]})
    assert not terminal.world.ledger.state("prod").paused


@given(WEB, clusters=("prod", "dev"))
@pytest.mark.parametrize("words", [("pause",), ("resume",), ("release", "x"), ("accept-identity", "x")])
def test_a_decision_about_one_cluster_needs_its_name(terminal: Terminal, words: tuple[str, ...]) -> None:
    """Which of them?"""
    code, _, err = terminal(*words)
    assert code == 1
    assert "--cluster: name the cluster that is meant; configured: dev, prod" in err


@given(*worlds.some(4), limits=Limits(brake_minimum=3))
def test_release_lets_go_exactly_what_was_shown(terminal: Terminal) -> None:
    """Another digest is refused in the words of the API."""
    world = terminal.world
    terminal("apply")
    for each in worlds.some(4):
        world.remove(each)
    terminal("apply")
    held = terminal.json("plan")[1]["plans"][0]["heldDigest"]
    code, _, err = terminal("release", "0123456789ab")
    assert code == 1
    assert f"holds back {held}, not 0123456789ab" in err
    assert terminal("release", held)[0] == 0
    world.drain()
    deleted = {name for method, name in world.written() if method.startswith("delete")}
    assert deleted == {f"pls-{i}" for i in range(4)}


def test_an_identity_that_is_offered_is_accepted(terminal: Terminal) -> None:
    """And no other."""
    update_state(terminal.world.ledger, "prod", lambda s: replace(s, identity="a", offered="b"))
    code, _, err = terminal("accept-identity", "c")
    assert code == 1
    assert "offers b, not c" in err
    assert terminal.json("accept-identity", "b") == (
        0,
        {"cluster": "prod", "identity": "b", "queued": ["prod"]},
    )


def test_the_installed_name_is_the_one_that_is_advised() -> None:
    """Sentences name it."""
    assert PROGRAM == "plsctl"


@pytest.mark.parametrize("words", [("plan",), ("explain", "shop/web"), ("doctor", "--timeout", "20")])
def test_a_command_signs_in_once(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On a laptop each sign-in starts a program, for a second or two."""
    signed_in: list[dict[str, str]] = []

    def credential(**options: str) -> StaticToken:
        signed_in.append(options)
        return StaticToken()

    monkeypatch.setattr(wiring, "credential", credential)
    monkeypatch.setenv("ARM_ENDPOINT", "https://127.0.0.1:1")
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    file = tmp_path / "clusters.yaml"
    file.write_text(CLUSTER.format(name="prod"))
    assert main([words[0], "--config", str(file), *words[1:]]) == 1
    assert "127.0.0.1" in capsys.readouterr().out
    assert len(signed_in) == 1


# -- clusters that are found by a tag


UNFOUND = "which AKS clusters bear the tag is unknown (403)"


@pytest.fixture
def unfound(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal where the search for clusters fails."""
    found = Configured(terminal.world.configs, (UNFOUND,))
    monkeypatch.setattr(wiring, "configs_of", lambda settings, aks: SimpleNamespace(configured=lambda: found))
    return terminal


@given(WEB)
def test_where_clusters_could_not_be_searched_for_all_is_not_well(unfound: Terminal) -> None:
    """0 or 2 would tell a pipeline that every cluster was looked at; who names one means that one."""
    assert unfound("plan")[0] == unfound("apply")[0] == 1
    assert unfound("plan", "--cluster", "prod")[0] == 0
    assert unfound("explain", "shop/web")[0] == 0
    assert unfound("explain", "shop/nobody")[0] == 1


@given(WEB)
def test_status_tells_that_clusters_could_not_be_searched_for(unfound: Terminal) -> None:
    """In its table and its document: standard error is what a pipeline throws away, and the ledgers were read."""
    code, out, _ = unfound("status")
    assert (code, out.splitlines()[-1]) == (0, f"  ! {UNFOUND}")
    assert unfound.json("status")[1]["problems"] == [UNFOUND]


def test_no_cluster_at_all_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a Service that nobody looked for is not ready."""
    none = SimpleNamespace(configured=lambda: Configured({}))
    monkeypatch.setattr(wiring, "configs_of", lambda settings, aks: none)
    for words, expected in ((("plan",), 0), (("explain", "shop/web"), 1)):
        code, out, err = terminal(*words)
        assert (code, out) == (expected, "")
        assert "There is no cluster" in err
