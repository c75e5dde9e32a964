"""The command line: the same engine without Functions, for a laptop or a pipeline.

Exit codes: 0 nothing to write (plan) or all done (apply); 1 an error, an unread view or a failed write;
2 writes (plan), or writes left or held back (apply); 3 findings only; 4 the plan is not the one expected.
"""

from __future__ import annotations

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

from reconciler import settings, wiring
from reconciler.cli.apply import apply
from reconciler.cli.arguments import parser
from reconciler.cli.codes import ERROR, INTERRUPTED
from reconciler.cli.plan import plan
from reconciler.cli.status import show_status
from reconciler.errors import OutsideError, SettingsError
from reconciler.model import ClusterConfig

COMMANDS = {"plan": plan, "apply": apply, "status": show_status}


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    options = parser().parse_args(arguments)
    # The identity library warns at length about each way to sign in that is not set up; we say it once.
    logging.getLogger("azure").setLevel(logging.ERROR)
    try:
        loaded = settings.load(_environment(options))
        return COMMANDS[options.command](options, loaded, _chosen(options, wiring.configs_of(loaded)()))
    except SettingsError as error:
        print(f"The settings are wrong:\n{error}", file=sys.stderr)
    except OutsideError as error:
        print(f"Error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough. What is left in the buffer must not fail at the end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    return ERROR


def _environment(options: Namespace) -> Mapping[str, str]:
    """The environment; ``--config`` stands in for CLUSTERS."""
    if not options.config:
        return os.environ
    environ = {**os.environ, "CLUSTERS": options.config}
    environ.pop("CLUSTERS_BLOB", None)
    return environ


def _chosen(options: Namespace, configs: Mapping[str, ClusterConfig]) -> list[ClusterConfig]:
    """The clusters that are asked for. Raises SettingsError for a name that is not configured."""
    names = list(dict.fromkeys(options.cluster or sorted(configs)))
    if unknown := [name for name in names if name not in configs]:
        raise SettingsError(
            f"--cluster: {', '.join(unknown)} is not configured; configured: {', '.join(sorted(configs))}"
        )
    return [configs[name] for name in names]
