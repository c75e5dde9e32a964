"""The parameters' table of docs/deploy.md, made from infra/main.bicep: `python -m tests.docs.deploy_tables` prints it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.infra.bicep import INFRA, Declaration, bicep, literal

MAIN = bicep(INFRA / "main.bicep")
# Parameters of types of their own, and how their keys are written. Those of `settings` are README's.
TYPES = {"targets": ("targets.", "targetsType"), "eventSources": ("eventSources[].", "eventSourceType")}
HEAD = "| Parameter | | Default | Meaning |\n|---|---|---|---|"


def parameters_table() -> str:
    """A row per parameter and per key of its type."""
    rows = (row for parameter in MAIN.all("parameter").values() for row in _rows(parameter))
    return "\n".join([HEAD, *rows])


def _rows(parameter: Declaration) -> Iterator[str]:
    yield _row(parameter.name, _default(parameter), parameter.description)
    prefix, kind = TYPES.get(parameter.name, ("", ""))
    if kind:
        for key, said in MAIN.type_properties(kind).items():
            yield _row(f"{prefix}{key}", "", said)


def _row(name: str, default: str, said: str) -> str:
    word, _, meaning = said.partition(". ")
    return f"| `{name}` | {word.lower()} | {default} | {meaning.replace('|', chr(92) + '|')} |"


def _default(parameter: Declaration) -> str:
    """As one would write it in the file of parameters; "" where there is none, or nothing in it."""
    if not parameter.has_default:
        return ""
    node = parameter.node.named_children[-1]
    value: Any = literal(node)
    plain = node.type in ("string", "array", "object", "number", "boolean")
    return f"`{json.dumps(value)}`" if plain and value not in ("", [], {}) else ""


if __name__ == "__main__":
    print(parameters_table())
