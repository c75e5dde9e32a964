"""docs/reference/annotations.md: every annotation, and what a bad value does, are the code's own."""

from __future__ import annotations

import re

import pytest

from reconciler import annotations as keys
from reconciler import claims, feedback
from reconciler.annotations import PLS_ANNOTATIONS
from reconciler.claims import read_claim
from reconciler.model import STANDARD_PREFIX
from tests import builders
from tests.docs.pages import first_column, tables, text_of

TABLES = tables(text_of("docs/reference/annotations.md"))
SHORT = tables(text_of("README.md"))["Annotation | Meaning"]


def test_every_annotation_has_a_row() -> None:
    """A new annotation is told."""
    own, balancers = (
        TABLES["Annotation | Meaning | Default | A bad value"],
        TABLES["Annotation | What for | A bad value"],
    )
    assert first_column(own) == list(PLS_ANNOTATIONS)
    constants = {v.rpartition("/")[2] for k, v in vars(keys).items() if re.match(r"(LB|PIP)_", k)}
    # IPv6 addresses place nobody: a Private Link Service has no IPv6.
    assert set(first_column(balancers)) == constants - {"azure-load-balancer-ipv6"}


@pytest.mark.parametrize(
    "row", TABLES["Annotation | Meaning | Default | A bad value"], ids=lambda row: row[0]
)
def test_annotations_refuse_what_the_table_says(row: tuple[str, ...]) -> None:
    """Where the table says refused, some value is; where it says none, no value is."""
    tries = ("", " ", "x/y", "0", "9", "*.*", "a" * 91, " ".join(f"s{i}" for i in range(101)), "-")
    asking = {"create": "true", row[0]: ""}
    invalid = [
        value
        for value in tries
        if isinstance(
            read_claim(
                builders.service(annotations={STANDARD_PREFIX + k: v or value for k, v in asking.items()}),
                STANDARD_PREFIX,
                "default",
            ).wish,
            claims.Invalid,
        )
    ]
    assert bool(invalid) == ("refused" in row[3])


def test_what_is_written_is_the_codes_own() -> None:
    """Names that people look for, and that nobody else should write."""
    assert first_column(TABLES["Annotation | Value"]) == [feedback.ALIAS, feedback.RESOURCE_ID]


def test_the_short_list_names_annotations() -> None:
    """README's few."""
    assert set(first_column(SHORT)) < set(PLS_ANNOTATIONS)
