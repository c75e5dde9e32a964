"""The command line in this process: exit codes, JSON, and what people are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.errors import Denied, Rejected, RetryLater
from reconciler.model import Limits
from reconciler.recording import update_state
from tests import builders
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.terminal import CLUSTER, TYPO, WEB, Terminal, given, terminal

__all__ = ["terminal"]  # a fixture

WRITE_KEYS = {"verb", "target", "service", "frontend", "reason", "sentence", "changes"}
FINDING_KEYS = {"reason", "severity", "sentence", "service", "frontend", "privateLinkService"}
PLAN_KEYS = {
    "version",
    "cluster",
    "mode",
    "digest",
    "heldDigest",
    "empty",
    "unread",
    "writes",
    "after",
    "held",
    "findings",
}


# -- plan


def test_plan_with_writes_ends_with_2(terminal: Terminal) -> None:
    """A pipeline asks whether there is something to do."""
    code, out, err = terminal("plan")
    assert (code, err) == (2, "")
    assert "+ create Private Link Service pls-0 for Service shop/web" in out
    assert terminal.world.written() == []
    assert not set(worlds.LEDGER_WRITES) & set(terminal.world.calls)


def test_the_plan_of_a_paused_cluster_says_that_it_is_paused(terminal: Terminal) -> None:
    """Who wonders why nothing comes of it reads it here."""
    update_state(terminal.world.ledger, "prod", lambda s: replace(s, paused=True))
    code, out, _ = terminal("plan")
    assert code == 2
    assert out.splitlines()[0].endswith(" (paused: nothing is written)")


@given()
def test_plan_with_nothing_to_say_ends_with_0(terminal: Terminal) -> None:
    """Nothing to write, nothing found."""
    assert terminal("plan") == (0, "prod: nothing to write\n", "")


@given(TYPO)
def test_plan_with_findings_alone_ends_with_3(terminal: Terminal) -> None:
    """A refusal is not an error of the run, and not nothing."""
    code, out, _ = terminal("plan")
    assert code == 3
    assert "! error InvalidSettings: Service shop/typo" in out


@given(WEB, clusters=("prod", "dev"))
def test_plan_of_a_cluster_that_cannot_be_read_ends_with_1(terminal: Terminal) -> None:
    """The others are planned all the same; the code is the worst."""
    terminal.world.clusters["dev"].fail("list_services", Denied("401 Unauthorized"))
    code, document = terminal.json("plan")
    assert code == 1
    first, second = document["plans"]
    assert (first["cluster"], first["writes"]) == ("dev", [])
    assert "401 Unauthorized" in first["findings"][0]["sentence"]
    assert (second["cluster"], len(second["writes"])) == ("prod", 1)


@given(WEB, TYPO, clusters=("prod", "dev"))
def test_one_cluster_can_be_chosen(terminal: Terminal) -> None:
    """And more than one; each once, however often it is named."""
    named = [p["cluster"] for p in terminal.json("plan", "--cluster", "dev", "--cluster", "dev")[1]["plans"]]
    assert named == ["dev"]
    code, _, err = terminal("plan", "--cluster", "elsewhere")
    assert code == 1
    assert "elsewhere is not configured; configured: dev, prod" in err


@given(WEB, TYPO)
def test_the_json_of_a_plan_has_its_documented_shape(terminal: Terminal) -> None:
    """Pipelines read it: a key that goes, or another one's meaning, breaks them."""
    _, document = terminal.json("plan")
    assert set(document) == {"version", "plans"}
    assert document["version"] == 1
    (plan,) = document["plans"]
    assert set(plan) == PLAN_KEYS
    (write,), (finding,) = plan["writes"], plan["findings"]
    assert (set(write), set(finding)) == (WRITE_KEYS, FINDING_KEYS)
    assert (write["verb"], write["target"], write["service"]) == (
        "create",
        builders.pls_id("pls-0"),
        "shop/web",
    )
    assert (finding["reason"], finding["severity"]) == ("InvalidSettings", "error")
    assert (plan["mode"], plan["empty"], plan["heldDigest"]) == ("sync", False, "")


def test_an_update_shows_what_changes(terminal: Terminal) -> None:
    """Before and after: a person decides by that."""
    terminal("apply")
    terminal.world.change(WEB, name="pls-0", fqdns="a.example b.example")
    _, document = terminal.json("plan")
    assert document["plans"][0]["writes"][0]["changes"] == [
        {"property": "fqdns", "before": [], "after": ["a.example", "b.example"]}
    ]
    assert "fqdns: (none) → a.example, b.example" in terminal("plan")[1]


# -- apply


def test_apply_ends_with_0_when_everything_has_settled(terminal: Terminal) -> None:
    """Accepted is not done; a second plan has nothing to write."""
    code, out, _ = terminal("apply")
    assert code == 0
    assert "+ create Private Link Service pls-0" in out
    assert "create pls-0: accepted" in out
    assert terminal.world.pls("pls-0").provisioning_state == "Succeeded"
    assert terminal("plan")[0] == 0


def test_apply_carries_out_the_plan_that_was_expected(terminal: Terminal) -> None:
    """What a reviewer approved."""
    assert terminal("apply", "--expect", terminal.digest())[0] == 0
    assert len(terminal.world.written()) == 1


def test_apply_of_another_plan_ends_with_4_and_writes_nothing(terminal: Terminal) -> None:
    """Between plan and apply somebody changed something."""
    digest = terminal.digest()
    terminal.world.add(service("late"))
    code, out, _ = terminal("apply", "--expect", digest)
    assert code == 4
    assert f"expected {digest}" in out
    assert terminal.world.written() == []
    assert terminal.world.ledger.lease("prod").holder == ""


def test_apply_need_not_wait(terminal: Terminal) -> None:
    """A pipeline that has other things to do."""
    assert terminal("apply", "--no-wait")[0] == 0
    assert terminal.world.pls("pls-0").provisioning_state == "Updating"


def test_apply_without_waiting_ends_with_2_where_writes_are_left(terminal: Terminal) -> None:
    """Busy is not done: 0 would tell the pipeline that it is."""
    terminal.world.azure.fail("put_private_link_service", RetryLater("another operation is in progress"))
    code, out, _ = terminal("apply", "--no-wait")
    assert code == 2
    assert "create pls-0: busy (another operation is in progress)" in out


@given(WEB, policy="Enabled")
def test_apply_without_waiting_ends_with_2_where_a_write_follows(terminal: Terminal) -> None:
    """The subnet is opened now, the Private Link Service comes in a later run."""
    assert terminal("apply", "--no-wait")[0] == 2
    assert terminal("apply")[0] == 0


def test_apply_goes_on_while_azure_is_busy(terminal: Terminal) -> None:
    """A PLS that waits for its back-off is not settled."""
    terminal.world.azure.fail("put_private_link_service", RetryLater("in progress"), times=2)
    assert terminal("apply")[0] == 0
    assert [name for _, name in terminal.world.written()] == ["pls-0"] * 3


def test_a_write_that_failed_ends_with_1(terminal: Terminal) -> None:
    """With ARM's own reason."""
    terminal.world.azure.fail("put_private_link_service", Rejected("the address is taken"))
    code, out, _ = terminal("apply")
    assert code == 1
    assert "create pls-0: failed (the address is taken)" in out


def test_apply_does_not_wait_for_what_azure_refuses(terminal: Terminal) -> None:
    """One bad annotation must not hold a pipeline for its whole timeout."""
    terminal.world.azure.fail("put_private_link_service", Rejected("the address is taken"), times=100)
    began = terminal.world.clock.now()
    code, _, _ = terminal("apply")
    assert code == 1
    assert len(terminal.world.written()) == 1
    assert (terminal.world.clock.now() - began).total_seconds() < 30
    assert "the address is taken" in terminal("status")[1]


def test_apply_tells_what_became_of_what_it_wrote(terminal: Terminal) -> None:
    """The alias is what the consumers need."""
    _, out, _ = terminal("apply")
    assert f"pls-0: Succeeded, alias {terminal.world.pls('pls-0').alias}" in out


def test_apply_gives_up_waiting_after_its_time(terminal: Terminal) -> None:
    """And says that it goes on without the person."""
    terminal.world.azure.settle = lambda: None  # type: ignore[method-assign]
    code, out, _ = terminal("apply", "--timeout", "10")
    assert code == 2
    assert "not settled after 10 s" in out


def test_apply_waits_for_a_run_that_is_under_way(terminal: Terminal) -> None:
    """The functions work on the same cluster, under the same lease."""
    world = terminal.world
    lease = world.ledger.lease("prod")
    world.ledger.write_lease(replace(lease, holder="other", until=builders.after(seconds=30)))
    code, out, _ = terminal("apply")
    assert code == 0
    assert "another run is under way, waiting for it" in out
    assert world.clock.now() > builders.after(seconds=30)


@given(*worlds.some(4), limits=Limits(brake_minimum=3))
def test_the_brake_is_released_for_exactly_the_list_shown(terminal: Terminal) -> None:
    """Held: 2. Another digest: 4. The right one: done."""
    world = terminal.world
    terminal("apply")
    for each in worlds.some(4):
        world.remove(each)
    world.forget_calls()
    code, out, _ = terminal("apply")
    assert code == 2
    assert "held back" in out
    assert terminal("apply", "--force", "0123456789ab")[0] == 4
    assert world.written() == []
    held = terminal.json("plan")[1]["plans"][0]["heldDigest"]
    assert terminal("apply", "--force", held)[0] == 0
    assert len(world.written()) == 4
    assert [e.kind for e in world.ledger.history("prod", 50)].count("person") == 1


@given(*worlds.some(4), limits=Limits(brake_minimum=3))
def test_force_carries_out_no_more_than_was_shown(terminal: Terminal) -> None:
    """What appears between the look that was printed and the writes waits for the next look."""
    world = terminal.world
    terminal("apply")
    for each in worlds.some(4):
        world.remove(each)
    terminal("apply")
    held = terminal.json("plan")[1]["plans"][0]["heldDigest"]
    world.forget_calls()
    terminal("apply", "--no-wait", "--force", held)
    assert [call for call in world.calls if call == "list_services"] == ["list_services"]
    assert len(world.written()) == 4


def test_an_identity_that_nobody_offers_is_not_accepted(terminal: Terminal) -> None:
    """A slip of the keyboard would lock the cluster out."""
    assert terminal("apply", "--accept-identity", "abc")[0] == 1
    assert terminal.world.ledger.state("prod").identity != "abc"


def test_another_identity_is_accepted_on_request(terminal: Terminal) -> None:
    """The cluster was rebuilt."""
    world = terminal.world
    update_state(world.ledger, "prod", lambda s: replace(s, identity="before"))
    code, out, _ = terminal("apply")
    assert code == 1
    assert "--accept-identity uid-of-prod" in out
    assert terminal("apply", "--accept-identity", "uid-of-prod")[0] == 0
    assert world.ledger.state("prod").identity == "uid-of-prod"


@given(WEB, clusters=("dev", "prod"))
def test_a_paused_cluster_ends_with_1_and_the_others_go_on(terminal: Terminal) -> None:
    """Else one paused cluster would stop a pipeline of hundreds."""
    update_state(terminal.world.ledger, "dev", lambda s: replace(s, paused=True))
    code, _, err = terminal("apply")
    assert code == 1
    assert "cluster dev: it is paused" in err
    assert len(terminal.world.written()) == 1


@given(WEB, clusters=("dev", "prod"))
def test_json_tells_the_failure_of_a_cluster_in_its_place(terminal: Terminal) -> None:
    """A pipeline reads which one failed, and why."""
    update_state(terminal.world.ledger, "dev", lambda s: replace(s, paused=True))
    dev, prod = terminal.json("apply")[1]["runs"]
    message = "it is paused; resume it first (plsctl resume)"
    assert dev == {"cluster": "dev", "error": {"code": "Paused", "message": message}}
    assert "error" not in prod
    assert prod["plan"]["cluster"] == "prod"


@given(WEB, clusters=("dev", "prod"))
def test_what_is_about_one_cluster_needs_its_name(terminal: Terminal) -> None:
    """A digest of which cluster?"""
    for option in ("--expect", "--force", "--accept-identity"):
        code, _, err = terminal("apply", option, "x")
        assert code == 1
        assert "add --cluster NAME" in err
    assert terminal.world.written() == []


@given(WEB, TYPO)
def test_the_json_of_apply_tells_all_rounds(terminal: Terminal) -> None:
    """The plan as shown, and each write with its result; progress goes to standard error."""
    code, document = terminal.json("apply")
    assert code == 3
    (run,) = document["runs"]
    assert document["version"] == 1
    assert set(run["plan"]) == PLAN_KEYS
    assert [(w["verb"], w["result"]) for w in run["writes"]] == [("create", "accepted")]
    assert [f["reason"] for f in run["findings"]] == ["InvalidSettings"]


def test_a_ledger_that_fails_ends_with_1(terminal: Terminal) -> None:
    """With its message, without a stack."""
    terminal.world.azure.fail("state", RetryLater("the tables cannot be reached"))
    code, _, err = terminal("apply")
    assert (code, err) == (1, "Error: cluster prod: the tables cannot be reached\n")


# -- status


def test_status_shows_what_the_ledger_knows(terminal: Terminal) -> None:
    """As a table and as JSON; nothing else is asked."""
    terminal("apply")
    terminal.world.forget_calls()
    code, out, _ = terminal("status")
    assert code == 0
    assert "prod (sync): last run" in out
    assert "pls-0" in out
    assert "shop/web" in out
    code, document = terminal.json("status")
    assert document["clusters"][0]["privateLinkServices"][0]["name"] == "pls-0"
    assert set(terminal.world.calls) <= {"states", "state", "sharing", "ownership"}


# -- the configuration


def test_every_mistake_in_the_configuration_is_told_at_once(terminal: Terminal) -> None:
    """One by one, a person would start it as often as there are mistakes."""
    terminal.file.write_text("- name: prod\n  mode: all\n  locations: eastus\n- mode: sync\n")
    code, out, err = terminal("plan")
    assert (code, out) == (1, "")
    for part in ("[0].mode", "[0].locations", "[0].subscription", "[1].name"):
        assert part in err
    assert "Traceback" not in err


def test_a_missing_configuration_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By the name of the file."""
    assert main(["plan", "--config", "no-such.yaml"]) == 1
    assert "cannot read the file 'no-such.yaml': No such file" in capsys.readouterr().err


def test_no_configuration_at_all_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the setting that would hold it."""
    monkeypatch.delenv("CLUSTERS", raising=False)
    monkeypatch.delenv("CLUSTERS_BLOB", raising=False)
    assert main(["plan"]) == 1
    assert "CLUSTERS: is not set" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["apply", "status"])
def test_what_needs_the_ledger_says_so(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting's name, not a stack of the storage SDK."""
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    file = tmp_path / "clusters.yaml"
    file.write_text(CLUSTER.format(name="prod"))
    assert main([command, "--config", str(file)]) == 1
    assert "AzureWebJobsStorage: is not set" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["destroy"], ["plan", "--output", "xml"], ["plan", "--expect", "x"]])
def test_wrong_usage_ends_with_1_and_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline must not take it for a plan with writes, which is 2."""
    assert main(words) == 1
    assert "Usage: python -m reconciler" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Pipelines are written from it."""
    assert main(["apply", "--help"]) == 0
    assert "4  apply: the plan is not the expected one" in capsys.readouterr().out
