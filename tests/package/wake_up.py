"""A program for the Python of the package: it handles one wake-up from the unpacked package and says what it loaded.

    python -I -S tests/package/wake_up.py FOLDER CLUSTER NAME...

With -I and -S nothing can be imported but the standard library and what is put on the path here, as the platform's
worker puts it there. NAMEs, of modules or of what is in them, are imported afterwards. Prints one line of JSON.
"""

import asyncio
import json
import pkgutil
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])
compiled: list[str] = []


def watch(event: str, arguments: Any) -> None:
    """Note each source that is compiled, by whoever."""
    if event == "compile" and str(arguments[1]).startswith(str(FOLDER)):
        compiled.append(str(arguments[1]))


def wake_up(cluster: str) -> None:
    """One message as the host hands it over."""
    from azure.functions.queue import QueueMessage

    import function_app
    from reconciler.wakeups import PERSON

    body = json.dumps({"cluster": cluster, "reason": PERSON}).encode()
    message = QueueMessage(body=body, insertion_time=datetime.now(UTC))  # type: ignore[no-untyped-call]
    asyncio.run(function_app.on_reconcile(message))


def loaded() -> dict[str, tuple[str, str | None]]:
    """Where each module was loaded from, and from which bytecode."""
    known = {name: module for name, module in sys.modules.items() if getattr(module, "__file__", None)}
    return {
        name: (str(module.__file__), getattr(module, "__cached__", None))
        for name, module in known.items()
        if module.__file__ != __file__
    }


if __name__ == "__main__":
    sys.addaudithook(watch)
    sys.path[:0] = [str(FOLDER), str(FOLDER / ".python_packages/lib/site-packages")]
    wake_up(sys.argv[2])
    for wanted in sys.argv[3:]:
        pkgutil.resolve_name(wanted)
    print(json.dumps({"stdlib": sysconfig.get_path("stdlib"), "compiled": compiled, "modules": loaded()}))
