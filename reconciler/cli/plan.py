"""``plan``: observe and plan, write nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from reconciler import wiring
from reconciler.cli import codes
from reconciler.cli.screen import Steps
from reconciler.cli.session import Session
from reconciler.model import ClusterConfig
from reconciler.reconcile import MAX_PLANS, Engine, Run, dry_run
from reconciler.rendering import VERSION, plan_json, plan_lines


def show_plan(session: Session) -> int:
    """Print the plans. The ledgers are read where storage is configured, and not needed."""
    runs, screen = looks(session, wiring.planning_engine(session.settings, session.out)), session.screen
    if screen.json:
        plans = [plan_json(run.plan, run.config.mode) for run in runs]
        screen.document({"version": VERSION, "plans": plans})
    else:
        for run in runs:
            screen.show(plan_lines(run.plan, run.config.mode, run.look.memory.state.paused))
    return codes.worst([*map(codes.of_plan, runs), *session.not_all])


def looks(session: Session, engine: Engine) -> list[Run]:
    """One look at each cluster that is meant, at the same time."""
    configs = session.configs
    with (
        session.screen.progress("looking at clusters", len(configs)) as steps,
        # Threads of their own: each waits for the engine's.
        ThreadPoolExecutor(min(MAX_PLANS, len(configs)) or 1) as waiting,
    ):
        return list(waiting.map(lambda config: _look(engine, config, steps), configs))


def _look(engine: Engine, config: ClusterConfig, steps: Steps) -> Run:
    run = dry_run(engine, config)
    steps.done()
    return run
