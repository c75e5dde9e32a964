"""Rendering: Jinja2 with autoescape for everything, and no character that shows something else than it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from reconciler.dashboard.view import Cluster, Detail

TEMPLATES = Path(__file__).parent / "templates"
# What a browser would not show, or what would turn the text around it: control characters but white space, marks of
# direction, characters of no width, tags, halves of a pair. The script has the same.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(value: Any) -> Any:
    """A text as it is, hidden characters by their numbers."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(map(_visible, value))


def _visible(char: str) -> str:
    shown = char in "\t\n\r" or category(char) not in _HIDDEN
    return char if shown else f"⟨U+{ord(char):04X}⟩"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,  # a document that somebody edited may lack anything
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["clock"] = clock
    made.filters["shown"] = shown
    return made


def clock(moment: Any) -> str:
    """An instant of JSON for people: 2026-11-21 13:30:05."""
    return str(moment or "").replace("T", " ").removesuffix("Z")


def shown(value: Any) -> str:
    """The value of a property, before or after."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "(none)"
    return "(none)" if value is None or value == "" else str(value)


def shell(*, base: str, script: str, style: str, icon: str, signed_in: bool) -> str:
    """The page without data. ``base`` is the address of the functions: ``/api``."""
    return _render("shell.html", base=base, script=script, style=style, icon=icon, signed_in=signed_in)


def overview(clusters: Sequence[Cluster], selected: str, problems: Sequence[str], poisoned: Any) -> str:
    """All clusters at a glance; ``problems`` are those of the configuration as a whole, in sentences."""
    return _render(
        "overview.html", clusters=clusters, selected=selected, problems=problems, poisoned=poisoned
    )


def detail(found: Detail) -> str:
    """One cluster."""
    return _render("cluster.html", detail=found, cluster=found.cluster, plan=found.plan, cut=found.cut)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)
