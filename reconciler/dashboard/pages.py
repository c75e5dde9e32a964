"""Rendering: Jinja2 with autoescape for everything, and no character that shows something else than it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from reconciler.dashboard.view import Cluster, Detail

TEMPLATES = Path(__file__).parent / "templates"
# What a browser would not show, or what would turn the text around it: control characters but line breaks,
# marks of direction, characters of no width, halves of a pair.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def visible(value: Any) -> Any:
    """A text as it is, hidden characters by their numbers."""
    return _HIDDEN.sub(_number, value) if type(value) is str else value


def _number(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found[0]):04X}⟩"


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


def overview(clusters: Sequence[Cluster], selected: str, poisoned: Any) -> str:
    """All clusters at a glance."""
    return _render("overview.html", clusters=clusters, selected=selected, poisoned=poisoned)


def detail(found: Detail) -> str:
    """One cluster."""
    return _render("cluster.html", detail=found, cluster=found.cluster, plan=found.plan, cut=found.cut)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)
