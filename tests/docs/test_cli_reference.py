"""docs/reference/cli.md is what the commands say of themselves."""

from __future__ import annotations

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
