"""The options of the `az` and `kubectl` commands that the pages name, as these programs tell them.

`python -m tests.docs.command_options` asks the programs on PATH and writes command_options.json anew; tests compare
the pages with that file, so that they need neither.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.docs.pages import PAGES
from tests.docs.shell_lines import commands

FILE = Path(__file__).with_suffix(".json")
PROGRAMS = ("az", "kubectl")


def name_of(words: list[str]) -> str:
    """The program and its subcommands: what comes before the first option, argument or file."""
    names = []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
            break
        names.append(word)
    return " ".join(names)


def known() -> dict[str, list[str]]:
    """The options by command."""
    found: dict[str, list[str]] = json.loads(FILE.read_text())
    return found


def _help(command: str) -> str:
    """What the program says of it; "" where there is no such command."""
    return _said(*command.split(), "-h" if command.startswith("az ") else "--help")


def _said(*ask: str) -> str:
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else ""


def _options(told: str) -> list[str]:
    """Those that a help lists: names stand before the colon, or the equals sign."""
    lines = re.findall(r"^ {4,}(-[^:=]*?)(?:=|:| \[|$)", told, re.M)
    return sorted({option for line in lines for option in re.findall(r"(?<!\S)--?[a-zA-Z][\w-]*", line)})


def _az(words: list[str]) -> tuple[str, list[str]]:
    """The longest beginning of the names that is a command: behind it come arguments."""
    names = name_of(words).split()
    for length in range(len(names), 1, -1):
        command = " ".join(names[:length])
        if options := _options(_help(command)):
            return command, options
    return " ".join(names), []


def _kubectl(words: list[str]) -> tuple[str, list[str]]:
    """kubectl takes arguments before ``--help`` as such; its usage tells the command."""
    told = _help(name_of(words))
    usage = re.search(r"^Usage:\n +(.+)$", told, re.M)
    if usage is None:
        return name_of(words), []
    command = " ".join(word for word in name_of(words).split() if word in usage[1].split())
    return command, sorted({*_options(told), *_options(_said("kubectl", "options"))})


def main() -> None:
    """Ask for every command of every page."""
    lines = {tuple(words) for page in PAGES for words in commands(page.read_text()) if words[0] in PROGRAMS}
    found = dict((_az if words[0] == "az" else _kubectl)(list(words)) for words in lines)
    rows = [f"  {json.dumps(name)}: {json.dumps(options)}" for name, options in sorted(found.items())]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
