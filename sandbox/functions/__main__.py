"""python -m sandbox.functions --app DIR [--port N] [--settings FILE] [--keys FILE] [--no-timers]

Writes one line of JSON to the standard output when it is ready, and everything else to the error output:
`{"url": "http://127.0.0.1:PORT", "keys": "FILE", "functions": ["NAME", …]}`. It ends on SIGTERM or SIGINT
within about ten seconds, which functions that run are given.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from sandbox.functions.configuration import ConfigurationError, load_local_settings
from sandbox.functions.host import Arguments, Host
from sandbox.functions.lines import FORMAT, WithFields

log = logging.getLogger(__name__)


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
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.functions", description="A local host for an Azure Functions app in Python."
    )
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
    stopped, threads, loop = asyncio.Event(), ThreadPoolExecutor(), asyncio.get_running_loop()
    loop.set_default_executor(threads)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if end_with_stdin:
        _watch_stdin(stopped)
    host = Host(arguments, os.environ)
    try:
        url = await host.start()
        ready = {"url": url, "keys": str(arguments.keys), "functions": [f.name for f in host.functions]}
        print(json.dumps(ready), flush=True)
        await stopped.wait()
    finally:
        await host.stop()
    threads.shutdown(wait=False, cancel_futures=True)
    _leave_threads_behind()


def _watch_stdin(stopped: asyncio.Event) -> None:
    """A daemon thread, which no exit waits for; os.read, since it holds no lock of the interpreter's."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=watch, daemon=True).start()


def _leave_threads_behind() -> None:
    """End at once if a function's thread still runs: the interpreter would wait for it forever."""
    deadline = time.monotonic() + 1
    threads = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    busy = [thread.name for thread in threads if thread.is_alive()]
    if busy:
        log.warning("these threads still run and are left behind: %s", ", ".join(busy))
        logging.shutdown()
        os._exit(0)


def _set_up_logging() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(WithFields(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("azure", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
