"""Log lines: one per action in the words of the plan, findings once per change, and fields that tell what about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconciler import context, ingest, logs, telemetry
from reconciler.errors import Rejected
from reconciler.messages import encode
from reconciler.ports import WakeUp
from sandbox.functions.lines import FORMAT, WithFields
from tests import builders
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World
from tests.telemetry.ear import WEB

FRONTEND = builders.frontend(WEB).id


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """As the functions set logging up."""
    levels = {name: logging.getLogger(name).level for name in logs.NOISY}
    logs.set_up()
    caplog.set_level(logging.INFO, "reconciler")
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fields(record: logging.LogRecord) -> dict[str, str]:
    """What a line tells besides its text."""
    return {name: vars(record)[name] for name in telemetry.FIELDS if name in vars(record)}


def of(caplog: pytest.LogCaptureFixture, word: str) -> list[logging.LogRecord]:
    """The lines that begin with a reason."""
    return [r for r in caplog.records if r.getMessage().startswith(f"{word}: ")]


def test_an_action_is_one_line_in_the_words_of_the_plan(caplog: pytest.LogCaptureFixture) -> None:
    """What the dry run has shown is what the log tells, and it can be looked for by any of its things."""
    world = worlds.make(WEB)
    planned = world.api.plan({"cluster": "prod"}).body["plans"][0]["writes"][0]["sentence"]
    done = world.handle()
    (line,) = of(caplog, "Create")
    assert (line.levelno, line.getMessage()) == (logging.INFO, f"Create: {planned}")
    assert fields(line) == {
        "cluster": "prod",
        "run": done.run_id,
        "service": "shop/web",
        "frontend": FRONTEND,
        "privateLinkService": builders.pls_id("pls-0"),
        "action": "create",
        "reason": "Create",
        "result": "accepted",
    }


def test_a_refused_write_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """A person is needed."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", Rejected("no such subnet", code="InvalidSubnet"))
    world.handle()
    (line,) = of(caplog, "Create")
    assert (line.levelno, fields(line)["result"]) == (logging.ERROR, "failed")
    assert line.getMessage().endswith("no such subnet")


def test_a_finding_is_told_once_per_change(caplog: pytest.LogCaptureFixture) -> None:
    """Not in each of the runs of a day; again when it has gone and comes back."""
    bad = replace(WEB, annotations={**WEB.annotations, f"{builders.CONFIG.pls_prefix}name": "bad name!"})
    world = worlds.make(bad)
    for _ in range(3):
        run(world)
    (line,) = of(caplog, "InvalidSettings")
    assert line.levelno == logging.ERROR
    assert (fields(line)["service"], fields(line)["result"]) == ("shop/web", "error")
    world.cluster.put(WEB)
    run(world)
    world.cluster.put(bad)
    run(world)
    assert len(of(caplog, "InvalidSettings")) == 2


def test_a_warning_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Severity and level are the same word."""
    surprising = service("web", settings={"name": "pls-0", "auto-approval": builders.SUBSCRIPTION})
    run(worlds.make(surprising))
    (line,) = of(caplog, "Warning")
    assert (line.levelno, fields(line)["result"]) == (logging.WARNING, "warning")


def run(world: World) -> None:
    world.clock.forward(60)
    world.handle("manual")


def test_how_a_message_ended(caplog: pytest.LogCaptureFixture) -> None:
    """Beside the sentence: the cluster, the run, what woke it."""
    world = worlds.make(WEB)
    ingest.on_wake_up(world.worker, encode(WakeUp("prod", "timer")), world.clock.now())
    line = caplog.records[-1]
    assert line.getMessage().startswith("cluster prod: 1 accepted")
    assert {**fields(line), "run": ""} == {"cluster": "prod", "run": "", "trigger": "timer"}
    assert fields(line)["run"]


def test_lines_within_a_run_say_which(caplog: pytest.LogCaptureFixture) -> None:
    """A line of whatever module, on whatever thread; what it says itself stands."""
    with context.about(cluster="prod", run="r1"), context.Threads(1) as threads:
        threads.submit(logs.log.warning, "from a thread").result()
        logs.log.warning("itself", extra={"cluster": "other"})
    logs.log.warning("outside")
    assert [fields(r) for r in caplog.records[-3:]] == [
        {"cluster": "prod", "run": "r1"},
        {"cluster": "other", "run": "r1"},
        {},
    ]


def test_the_libraries_are_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Each of their calls would be a line with its headers, and each line sent would be another call."""
    caplog.set_level(logging.INFO)  # as the platform's worker has it
    assert not logging.getLogger("azure.core.pipeline.policies.http_logging_policy").isEnabledFor(
        logging.INFO
    )
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.INFO)


def test_the_sandbox_s_log_shows_the_fields() -> None:
    """What Application Insights would show as columns."""
    record = logging.makeLogRecord({"name": "reconciler", "msg": "done", "levelname": "INFO"})
    record.cluster, record.service, record.run = "prod", "", 'a "b"\n'
    shown = WithFields(FORMAT).format(record)
    assert shown.endswith(r'INFO reconciler: done cluster=prod run="a \"b\"\n"')


def test_idle_probes_are_no_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Twice a minute for each cluster, and nothing to tell: they would be most of what is paid for."""
    world = worlds.make(WEB)
    run(world)
    world.clock.forward(60)
    before = len(caplog.records)
    done = ingest.on_wake_up(world.worker, encode(WakeUp("prod", "probe")), world.clock.now())
    assert (done.run, len(caplog.records)) == (None, before)
