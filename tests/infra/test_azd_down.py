"""azd down is refused: it deletes whole resource groups, those of clusters and Private Link Services among them."""

from __future__ import annotations

import os
import subprocess

from tests.docs.pages import anchors, text_of
from tests.infra.bicep import ROOT
from tests.infra.test_azd import azure_yaml


def test_the_hook_before_azd_down_fails_and_says_where_to_read_on() -> None:
    """azd stops where a hook fails that comes before a command."""
    hook = azure_yaml()["hooks"]["predown"]
    assert "continueOnError" not in hook["posix"]
    done = subprocess.run(["sh", str(ROOT / hook["posix"]["run"])], capture_output=True, text=True)
    assert done.returncode != 0
    assert "docs/operations.md, Uninstall" in done.stderr
    assert "uninstall" in anchors(text_of("docs/operations.md"))
    assert os.access(ROOT / hook["posix"]["run"], os.X_OK)


def test_windows_is_refused_with_the_same_words() -> None:
    """There is no PowerShell here to run the other one."""
    hook = azure_yaml()["hooks"]["predown"]
    assert "continueOnError" not in hook["windows"]
    source = (ROOT / hook["windows"]["run"]).read_text()
    words = (ROOT / hook["posix"]["run"]).read_text().count("azd down")
    assert source.count("azd down") == words
    assert "throw" in source
    assert "docs/operations.md, Uninstall" in source
