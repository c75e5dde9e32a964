"""python -m sandbox up --state DIR [options] · python -m sandbox demo [options]"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sandbox.arm import Throttle
from sandbox.functions.process import FunctionsUnavailable
from sandbox.storage import StorageUnavailable
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_texts import farewell, welcome

T = TypeVar("T")


def main(argv: list[str]) -> int:
    """Run a command: 0, 1 when the sandbox cannot start, 2 for a wrong command line."""
    if argv[:1] == ["demo"]:
        return int(importlib.import_module("sandbox.demo").run(argv[1:]))
    return _up(_parser().parse_args(argv))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A small local Azure.")
    commands = parser.add_subparsers(required=True, metavar="up | demo")
    commands.add_parser("demo", help="play the whole story, a line per step")
    up = commands.add_parser("up", help="start and stay up until SIGTERM or Ctrl-C")
    add = up.add_argument
    add("--state", type=Path, default=Path(".sandbox"), help="the folder for its files (default: .sandbox)")
    add("--clusters", type=_names, default=("prod", "dev"), help="names, with commas (default: prod,dev)")
    add("--kubeconfig", action="append", default=[], type=_kubeconfig, help="NAME=FILE: a real cluster, too")
    add("--provisioning-seconds", type=float, default=2.0, help="how long a PLS stays Updating (default: 2)")
    add("--ccm-pls", action="store_true", help="the cloud providers make PLSs too, as AKS does")
    add("--pls-cache-seconds", type=float, default=120.0, help="how long they believe what they saw")
    add(
        "--settle-seconds", type=int, help="how long the product leaves new claims to them (default: its own)"
    )
    add(
        "--arm-port",
        type=int,
        default=0,
        help="for a client that remembers it, such as az (default: a free one)",
    )
    add(
        "--api",
        choices=("kubeconfig", "aks"),
        default="kubeconfig",
        help="aks: clusters.yaml names AKS resources",
    )
    add("--managed-networks", type=_names, default=(), help="clusters whose network has the names AKS gives")
    add("--token-seconds", type=int, default=36_000, help="how long a token is good (default: 10 hours)")
    add("--throttle", action="store_true", help="ARM's token buckets: 200 writes, 10 more each second …")
    add("--contention", choices=("none", "parent"), default="none", help="parent: one PLS write at a time …")
    add("--publish", action="store_true", help="a topic that gets the product's own events")
    add("--no-functions", action="store_true", help="without the functions host")
    add("--app", type=Path, help="the folder of function_app.py (default: this repository)")
    add("--no-timers", action="store_true", help="timers run by the admin endpoint only")
    add("--setting", action="append", default=[], type=_setting, help="NAME=VALUE for the functions")
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or len(set(names)) != len(names):
        raise argparse.ArgumentTypeError("wanted: different names, with commas between them")
    return names


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("wanted: NAME=VALUE")
    return name, value


def _kubeconfig(text: str) -> tuple[str, Path]:
    name, path = _setting(text)
    return name, Path(path)


def _options(given: argparse.Namespace) -> SandboxOptions:
    return SandboxOptions(
        state=given.state,
        clusters=given.clusters,
        provisioning_seconds=given.provisioning_seconds,
        kubeconfigs=dict(given.kubeconfig),
        ccm_pls=given.ccm_pls,
        pls_cache_seconds=given.pls_cache_seconds,
        settle_seconds=given.settle_seconds,
        arm_port=given.arm_port,
        api=given.api,
        managed_networks=given.managed_networks,
        token_seconds=given.token_seconds,
        throttle=Throttle() if given.throttle else None,
        contention=given.contention,
        publish=given.publish,
        functions=not given.no_functions,
        app=given.app,
        timers=not given.no_timers,
        extra_settings=dict(given.setting),
    )


def _up(given: argparse.Namespace) -> int:
    """Up until told to end. 1 when it cannot start (no storage, a bad app or kubeconfig, no free port), or when
    one of its processes ends by itself: half a sandbox would only puzzle.
    """
    asked = _AskedToEnd()
    try:
        with Sandbox.start(_options(given)) as sandbox:
            print(welcome(sandbox.endpoints, sandbox.state), flush=True)
            if gone := asked.wait(sandbox.ended):
                print(farewell(*gone, sandbox.state), file=sys.stderr, flush=True)
                return 1
    except KeyboardInterrupt:
        return 0
    except (StorageUnavailable, FunctionsUnavailable, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


class _AskedToEnd:
    """SIGTERM and Ctrl-C, noted: what is being started is let finish, so that all of it can be ended in order.

    Whoever asks a third time does not want to wait: it ends wherever it is.
    """

    def __init__(self) -> None:
        self._times = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self._times += 1
        if self._times > 2:
            raise KeyboardInterrupt

    def wait(self, happened: Callable[[], T | None]) -> T | None:
        """Until somebody asked (None), or something happened: what it was."""
        # An Event could deadlock here: the handler runs in this very thread.
        while not self._times:
            # What was asked a moment ago may be why it ended: Ctrl-C reaches our processes, too.
            if (what := happened()) is not None and not self._times:
                return what
            time.sleep(0.1)
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
