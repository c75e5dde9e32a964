"""docs/reference/cli.md is what the commands say of themselves."""

from __future__ import annotations

import re

import pytest

from reconciler.cli import codes, main
from reconciler.cli.words import EXIT_CODES
from tests.docs.command_line import GROUP
from tools.cli_reference import PAGE, page


def test_the_page_is_made_from_the_commands() -> None:
    """An option that is added, or a text that is changed, is told: python -m tools.cli_reference writes the page."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_command_and_option_says_what_it_is_for() -> None:
    """Nothing is left to be guessed from its name."""
    for name, command in GROUP.commands.items():
        assert command.help, name
        assert all(parameter.help for parameter in command.params), name


def test_exit_codes_are_the_codes_own() -> None:
    """Each number that the command line ends with has its meaning."""
    assert set(EXIT_CODES) == {value for name, value in vars(codes).items() if name.isupper()}


def test_a_wrong_command_line_ends_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline must be able to tell it from a plan with writes, or at least know that it cannot."""
    ended = main(["plan", "--nope"])
    assert capsys.readouterr().err
    said = re.search(r"A command line that cannot be read\s+ends\s+with (\d+)", page())
    assert said
    assert int(said[1]) == ended
