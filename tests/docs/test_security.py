"""docs/security.md: whatever it says makes a claim true is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, codes, tables, text_of

PAGE = text_of("docs/security.md")
NAMED = sorted(set(re.findall(r"`((?:tests|reconciler|infra|tools)/[\w./-]+?(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("named", NAMED)
def test_what_makes_a_claim_true_is_there(named: str) -> None:
    """A test that was renamed or deleted leaves a claim behind that nothing holds."""
    path, _, name = named.partition("::")
    assert (ROOT / path).exists(), path
    if name:
        source = (ROOT / path).read_text()
        assert re.search(rf"^(?:def|class) {name}\b", source, re.M), f"{path} has no {name}"


def test_every_claim_of_what_they_cannot_do_has_something_that_makes_it_true() -> None:
    """An empty cell is a hope."""
    rows = [row for heading, found in tables(PAGE).items() if "Made true by" in heading for row in found]
    assert len(rows) > 6
    for row in rows:
        assert any(code in NAMED for code in codes(row[1])) or "make audit" in row[1], row[0]


def test_every_attacker_has_a_section() -> None:
    """Who has one annotation, event, key, the document, the account, a cluster, the identity."""
    told = re.findall(r"^## (.+)$", PAGE, re.M)
    assert told == [
        "In short",
        "Trust boundaries",
        "One annotation",
        "One event",
        "One function key",
        "The clusters' document",
        "The storage account",
        "A cluster's API server",
        "The identity",
        "What is deployed",
    ]
