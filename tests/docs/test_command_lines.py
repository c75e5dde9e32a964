"""Each command line of each page, as a shell would take it apart: programs, subcommands, options and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.command_options import known, name_of
from tests.docs.pages import PAGES, ROOT, text_of
from tests.docs.shell_lines import commands, scripts
from tests.infra.bicep import INFRA, bicep

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
# azd is a program of its own, from no package registry: its commands by hand (azd 1.23), with the options used.
AZD = {"up": (), "deploy": (), "provision": (), "down": ("--purge",), "auth login": (), "config set": ()} | {
    "env new": (),
    "env get-values": (),
}
EXTENSIONS = {"az connectedk8s proxy"}  # of az; named where it is said that it does not serve
OPERATIONS = {"URL", "KEY"}  # said at the top of docs/operations.md
SHELLS_OWN = {"PWD"}


def options_of(words: list[str]) -> list[str]:
    """As written, without values: ``--overwrite``, ``-o``."""
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]


def known_command(words: list[str]) -> str:
    """The longest beginning that is known."""
    names = name_of(words).split()
    tried = (" ".join(names[:length]) for length in range(len(names), 0, -1))
    return next((name for name in tried if name in known()), "")


@each_page
def test_az_and_kubectl_know_the_commands_and_their_options(page: Path) -> None:
    """As they told them (python -m tests.docs.command_options asks them anew): a misspelt option stops who copies it."""
    for words in commands(page.read_text()):
        if words[0] in ("az", "kubectl"):
            command = known_command(words)
            assert command, " ".join(words)
            if command not in EXTENSIONS:
                assert known()[command], f"{command}: there is no such command"
                assert set(options_of(words)) <= set(known()[command]), " ".join(words)


@each_page
def test_azd_knows_its_commands(page: Path) -> None:
    """A subcommand that azd does not have."""
    for words in commands(page.read_text()):
        if words[0] == "azd":
            command = next((c for c in AZD if name_of(words[1:]).startswith(c)), "")
            assert command, " ".join(words)
            assert set(options_of(words)) <= set(AZD[command]), " ".join(words)


@each_page
def test_files_that_commands_name_are_there(page: Path) -> None:
    """A manifest, a template or a hook that was moved."""
    for words in commands(page.read_text()):
        for word in words:
            if re.fullmatch(r"(infra|tests|tools|docs|sandbox)/[\w./-]+", word):
                assert (ROOT / word).exists(), " ".join(words)


@pytest.mark.parametrize("page", ["docs/deploy.md", "docs/operations.md"])
def test_every_variable_comes_from_somewhere(page: str) -> None:
    """An output of the deployment by its name, or a line above; an empty one would be -g "" at best."""
    script = re.sub(r"'[^'\n]*'", "", scripts(text_of(page)))
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", script))
    made = set(re.findall(r"^\s*(?:export )?([A-Z_]+)=", script, re.M)) | set(
        re.findall(r"\bfor (\w+) in", script)
    )
    outputs = set(bicep(INFRA / "main.bicep").all("output"))
    said = OPERATIONS | {"PLS_ID"} if page == "docs/operations.md" else set()
    assert used - made - outputs - said - SHELLS_OWN == set()


def test_lines_are_taken_apart_as_a_shell_would() -> None:
    """A command within quotes, behind a pipe, or over two lines is looked at, too."""
    text = (
        '```sh\nA=$(az x -o tsv)\nb | az y "$(az z)" \\\n  --more > file\n```\nand `az w -n N`, not `az …`.'
    )
    assert commands(text) == [
        ["A=$"],
        ["az", "x", "-o", "tsv"],
        ["b"],
        ["az", "z"],
        ["az", "y", "$(az z)", "--more"],
        ["file"],
        ["az", "w", "-n", "N"],
    ]
