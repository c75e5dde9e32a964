"""``status``: the state of everything, from the ledgers alone."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence

from reconciler import wiring
from reconciler.cli import codes
from reconciler.model import ClusterConfig
from reconciler.settings import Settings
from reconciler.status import status, status_text


def show_status(options: Namespace, settings: Settings, configs: Sequence[ClusterConfig]) -> int:
    """Print the status of the chosen clusters, and of those no longer configured where none is chosen."""
    by_name = {config.name: config for config in configs}
    report = status(wiring.ledger(settings), by_name, now=wiring.SystemClock().now())
    if options.cluster:
        report["clusters"] = [c for c in report["clusters"] if c["name"] in by_name]
    print(json.dumps(report, indent=2) if options.output == "json" else status_text(report))
    return codes.DONE
