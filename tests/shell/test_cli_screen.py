"""What is seen: colours and a bar in a terminal, bare words in a pipe; completion; a missing package."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.cli.screen import Screen
from reconciler.lines import Line, line
from tests.shell.terminal import CLUSTER, TYPO, WEB, Terminal, given, terminal

__all__ = ["terminal"]  # a fixture

ROOT = Path(__file__).parents[2]
PLSCTL = (
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'plsctl'; from reconciler.cli import plsctl; sys.exit(plsctl())",
)
GREEN, RESET = "\x1b[32m", "\x1b[0m"


def piped(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command, its output piped."""
    environ = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        [*PLSCTL, *words], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def on_a_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code and what a terminal shows of the installed command."""
    environ = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environment}
    ours, theirs = pty.openpty()
    with subprocess.Popen([*PLSCTL, *words], cwd=ROOT, env=environ, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # its end
                break
            if not piece:
                break
            shown += piece
        running.wait(60)
    os.close(ours)
    return running.returncode, shown.decode()


@pytest.fixture
def watched(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The terminal as one that has colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


def test_a_terminal_gets_colours_and_a_pipe_does_not(
    watched: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is created is green; NO_COLOR takes colours off a terminal, too."""
    assert f"{GREEN}  + create Private Link Service pls-0" in watched("plan")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert GREEN not in watched("plan")[1]
    monkeypatch.delenv("FORCE_COLOR")
    out = watched("plan")[1]
    assert "\x1b" not in out
    assert "  + create Private Link Service pls-0" in out


@given(WEB, TYPO)
def test_json_is_never_coloured(watched: Terminal) -> None:
    """Nor is it broken into lines: a pipeline parses it."""
    for words in (("plan",), ("status",), ("history",), ("explain", "shop/typo"), ("apply",)):
        watched.json(*words)


def test_lines_are_not_broken_at_the_width_of_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A grep for an id finds it."""
    Screen().show([line("title", "x" * 500), Line((("ok", "[bold]"), ("", " y")))])
    assert capsys.readouterr().out == "x" * 500 + "\n[bold] y\n"


def test_no_text_acts_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote it: an argument, a table's row, another program. The end of a line is one."""
    hostile = "\x1b]0;x\x07 \x9b31m \u202egpj.exe \U000e0041 \udcff\r"
    screen = Screen()
    screen.show([line("title", hostile), Line((("ok", f"[red]{hostile}"), ("", "é →")))])
    screen.complain(f"one\n{hostile}")
    said = capsys.readouterr()
    harmless = r"\x1b]0;x\x07 \x9b31m \u202egpj.exe \U000e0041 \udcff\r"
    assert said.out == f"{harmless}\n[red]{harmless}é →\n"
    assert said.err == f"one\n{harmless}\n"


def test_a_pipe_without_arrows_gets_their_numbers() -> None:
    """As of a Windows shell, or a job without a locale: it must not end in a traceback."""
    code = (
        "from reconciler.cli.screen import Screen; from reconciler.lines import line;"
        "Screen().show([line('', '1 \u2192 2')]); Screen().complain('\u2026')"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1 \\u2192 2\n", b"\\u2026\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize(("output", "complaint"), [("text", "No space left"), ("json", "No space left")])
def test_a_full_disk_is_a_sentence(output: str, complaint: str, tmp_path: Path) -> None:
    """And an error, even where all of it fitted into a buffer."""
    file = tmp_path / "clusters.yaml"
    file.write_text(CLUSTER.format(name="prod"))
    environ = {"PATH": os.environ["PATH"], "CLUSTERS": str(file), "ARM_ENDPOINT": "https://127.0.0.1:1"}
    with open("/dev/full", "wb") as full:
        words = ("doctor", "--timeout", "1", "--output", output)
        done = subprocess.run(
            [*PLSCTL, *words],
            cwd=ROOT,
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert complaint in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_bar_is_drawn_on_standard_error_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words that are said meanwhile go where they always go, whole."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = Screen()
    with screen.progress("looking at clusters", 3) as steps:
        steps.done()
        steps.say("applying prod")
        time.sleep(0.15)  # the bar draws itself ten times a second
        screen.show([line("", "said")])
        sys.stdout.write("by others\n")
        with screen.progress("waiting") as inner:
            inner.done()
    said = capsys.readouterr()
    assert said.out == "said\nby others\n"
    assert "1/3" in said.err
    assert "applying prod" in said.err


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """A log would be full of it."""
    with Screen().progress("looking", 3) as steps:
        steps.done()
        steps.say("more")
    assert capsys.readouterr() == ("", "")


def test_help_is_plain_in_a_pipe_and_framed_on_a_terminal() -> None:
    """With the same words, and every exit code on a line of its own."""
    plain = piped("plan", "--help")
    assert plain.returncode == 0
    assert "\x1b" not in plain.stdout
    assert "  2  plan: there are writes; apply: writes are left or held back\n" in plain.stdout
    code, framed = on_a_terminal("plan", "--help", COLUMNS="120")
    assert code == 0
    assert "\u256d" in framed
    assert "plan: there are writes; apply: writes are left or held back" in framed


def test_a_wrong_command_line_ends_with_1_on_a_terminal_too() -> None:
    """Typer's own code for it is 2, which says that there are writes."""
    assert on_a_terminal("plan", "--nope")[0] == 1
    ended = piped("plan", "--nope")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "No such option: --nope" in ended.stderr
    assert piped().returncode == 1


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("plsctl pl", ["plan"]),
        ("plsctl plan --cluster ", ["dev-1", "prod"]),
        ("plsctl pause --cluster p", ["prod"]),
        ("plsctl plan --ti", []),
        ("plsctl apply --ti", ["--timeout"]),
    ],
)
def test_a_shell_completes_commands_options_and_clusters(
    tmp_path: Path, typed: str, offered: list[str]
) -> None:
    """The clusters' names come from the configuration; one that cannot be read offers none."""
    file = tmp_path / "clusters.yaml"
    file.write_text(CLUSTER.format(name="prod") + CLUSTER.format(name="dev-1"))
    asked = {"_PLSCTL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    assert piped(CLUSTERS=str(file), **asked).stdout.split() == offered


def test_clusters_complete_from_the_file_that_is_named(tmp_path: Path) -> None:
    """Of one that cannot be read none is offered, and nothing is said into the line being typed."""
    file = tmp_path / "clusters.yaml"
    file.write_text(CLUSTER.format(name="prod"))
    asked = {"_PLSCTL_COMPLETE": "complete_bash", "COMP_CWORD": "5"}
    named = f"plsctl plan --config {file} --cluster "
    assert piped(**asked, COMP_WORDS=named).stdout.split() == ["prod"]
    file.write_text("[")
    done = piped(**asked, COMP_WORDS=named)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_without_its_packages_the_command_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are not deployed with the functions."""
    for name in [
        name
        for name in sys.modules
        if name.startswith(("typer", "reconciler.cli.running", "reconciler.cli.app"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(["plan"]) == 1
    assert "pip install -r requirements-cli.txt" in capsys.readouterr().err


def test_the_functions_import_neither() -> None:
    """The deployed package stays lean."""
    code = "import sys, function_app; sys.exit(bool({'typer', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
