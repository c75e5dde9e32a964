"""Every page: links lead somewhere, blocks parse, commands exist."""

from __future__ import annotations

import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.docs import shell_lines
from tests.docs.command_line import accepted
from tests.docs.pages import PAGES, ROOT, anchors, blocks, commands, links

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_relative_links_lead_somewhere(page: Path) -> None:
    """A page that was moved, or a heading that was renamed, leaves no dead link."""
    for link in links(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link}: there is no such file"
        assert not anchor or anchor in anchors(target.read_text()), f"{link}: there is no such heading"


def test_files_that_are_named_are_there(page: Path) -> None:
    """A module that was split or moved is told where it is now."""
    named = re.findall(r"`((?:infra|reconciler|sandbox|tests|tools)/[\w./-]*\.[a-z]+)`", page.read_text())
    assert [file for file in named if not (ROOT / file).is_file()] == []


def test_data_blocks_parse(page: Path) -> None:
    """What people copy is YAML and JSON, not something like it."""
    text = page.read_text()
    for block in blocks(text, "yaml"):
        assert yaml.safe_load(block.text)
    for block in blocks(text, "json"):
        assert json.loads(block.text)


def test_make_targets_exist(page: Path) -> None:
    """A renamed target is renamed here, too."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = [shlex.split(line)[1] for line in commands(page.read_text()) if line.startswith("make ")]
    assert set(named) <= targets


def test_command_lines_are_accepted(page: Path) -> None:
    """Each line of `python -m reconciler` or `plsctl` is one that the command line takes; other modules are there."""
    for words in shell_lines.commands(page.read_text()):
        if words[:3] == ["python", "-m", "reconciler"]:
            assert accepted(words[3:]) == "", words
        elif words[:2] == ["python", "-m"]:
            assert find_spec(words[2]), f"there is no such module: {words}"
        elif words[0] == "plsctl":
            assert accepted(words[1:]) == "", words


def test_no_other_programs_words_are_left_in_a_page(page: Path) -> None:
    """Leftovers of writing: marks to fill in, paths of one machine."""
    assert not re.search(r"@@|TODO|FIXME|/home/|/Users/|/work/|/tmp/", page.read_text())
