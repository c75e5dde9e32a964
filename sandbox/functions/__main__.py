"""python -m sandbox.functions --app DIR [--port N] [--settings FILE] [--keys FILE] [--no-timers]"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from sandbox.functions.configuration import ConfigurationError, load_local_settings
from sandbox.functions.host import Arguments, Host

READY = "Functions host ready: "


def main() -> int:
    """Run a host until SIGTERM or SIGINT: 0, or 1 with the reason when it cannot start."""
    given = _parser().parse_args()
    _set_up_logging()
    arguments = Arguments(
        app=given.app.resolve(),
        port=given.port,
        keys=given.keys.resolve(),
        timers=not given.no_timers,
        lock=timedelta(seconds=given.lock_seconds),
    )
    try:
        if given.settings:
            load_local_settings(given.settings, os.environ)
        os.chdir(arguments.app)  # as the platform: relative paths in settings are the app's
        asyncio.run(_serve(arguments, end_with_stdin=given.end_with_stdin))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.functions", description=__doc__)
    add = parser.add_argument
    add("--app", type=Path, required=True, help="folder of function_app.py and host.json")
    add("--port", type=int, default=0, help="default: a free one")
    add("--settings", type=Path, help="a local.settings.json; the environment goes first")
    add("--keys", type=Path, default=Arguments.keys, help="written, or read and kept if it exists")
    add("--no-timers", action="store_true", help="timers run by the admin endpoint only")
    add("--lock-seconds", type=int, default=600, help="how long a message in work is locked")
    add("--end-with-stdin", action="store_true", help="end when the standard input is closed")
    return parser


async def _serve(arguments: Arguments, *, end_with_stdin: bool) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if end_with_stdin:
        asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read).add_done_callback(
            lambda _: stopped.set()
        )
    host = Host(arguments, os.environ)
    try:
        url = await host.start()
        print(f"{READY}{url}", flush=True)
        await stopped.wait()
    finally:
        await host.stop()


def _set_up_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("azure", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
