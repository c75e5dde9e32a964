"""``plan``: observe and plan, write nothing."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from reconciler import wiring
from reconciler.cli import codes
from reconciler.model import ClusterConfig
from reconciler.reconcile import Run, dry_runs
from reconciler.rendering import VERSION, plan_json, plan_text
from reconciler.settings import Settings


def plan(options: Namespace, settings: Settings, configs: Sequence[ClusterConfig]) -> int:
    """Print the plans. The ledgers are read where storage is configured, and not needed."""
    engine = wiring.planning_engine(settings)
    runs = dry_runs(engine, configs)
    show(runs, options.output)
    return codes.worst(codes.of_plan(run) for run in runs)


def show(runs: Sequence[Run], output: str) -> None:
    """Print plans as text or as one JSON document."""
    if output == "json":
        plans = [plan_json(run.plan, run.config.mode) for run in runs]
        print(json.dumps({"version": VERSION, "plans": plans}, indent=2))
        return
    for run in runs:
        print(plan_text(run.plan, run.config.mode))
