"""Reads Bicep files with tree-sitter, as far as the tests need them: declarations, and values that are literals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
FILES = tuple(sorted(INFRA.rglob("*.bicep")))
_PARSER = Parser(Language(tree_sitter_bicep.language()))
# Identifiers that stand for themselves and refer to nothing.
_NAMES_OF = {
    "parameter_declaration",
    "variable_declaration",
    "resource_declaration",
    "module_declaration",
    "output_declaration",
    "type_declaration",
    "metadata_declaration",
    "object_property",
}


@dataclass(frozen=True)
class Declaration:
    """A param, var, resource, module, output or type; ``description`` is its decorator's, "" without one."""

    kind: str
    name: str
    description: str
    node: Node

    @property
    def has_default(self) -> bool:
        """Of a param: whether a value stands behind its type."""
        return any(child.type == "=" for child in self.node.children)

    @property
    def of(self) -> str:
        """Of a resource its ``type@version``, of a module its path; of both the first text in the declaration."""
        return _text(next(child for child in self.node.named_children if child.type == "string"))

    @property
    def existing(self) -> bool:
        """Of a resource: whether it is only looked up."""
        return any(_text(child) == "existing" for child in self.node.children)

    @cached_property
    def body(self) -> Node:
        """The object between the outermost braces, behind loops and conditions."""
        return next(node for node in nodes(self.node) if node.type == "object" and _own(node, self.node))

    def properties(self, *path: str) -> dict[str, Node]:
        """The properties of the body, or of an object within it."""
        found = _properties(self.body)
        for step in path:
            found = _properties(found[step])
        return found


class Bicep:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = _PARSER.parse(path.read_bytes()).root_node

    def errors(self) -> list[str]:
        """Places that are no Bicep: ``line: text``."""
        bad = (node for node in nodes(self.root) if node.is_error or node.is_missing)
        return [f"{node.start_point.row + 1}: {_text(node)[:60]}" for node in bad]

    def all(self, kind: str) -> dict[str, Declaration]:
        """The declarations of a kind (``parameter``, ``module`` …) by name; resources within resources, too."""
        return {d.name: d for d in self._declarations if d.kind == kind}

    @cached_property
    def _declarations(self) -> tuple[Declaration, ...]:
        found = []
        for node in nodes(self.root):
            if node.type in _NAMES_OF and node.type != "object_property":
                name = _text(next(c for c in node.named_children if c.type == "identifier"))
                kind = node.type.removesuffix("_declaration")
                found.append(Declaration(kind, name, description_of(node), node))
        return tuple(found)

    def type_properties(self, name: str) -> dict[str, str]:
        """The properties of a user-defined type, and what is said of each."""
        body = self.all("type")[name].body
        return {
            _key(child): description_of(child)
            for child in body.named_children
            if child.type == "object_property"
        }

    @cached_property
    def used(self) -> list[str]:
        """Names that expressions and types refer to; not those of functions."""
        return [_text(node) for node in nodes(self.root) if node.type == "identifier" and _refers(node)]

    @cached_property
    def functions(self) -> set[str]:
        """Names of functions called, decorators included."""
        return {function_of(node) for node in nodes(self.root) if node.type == "call_expression"}

    @cached_property
    def local(self) -> set[str]:
        """Names that loops and lambdas bring."""
        return {_text(node) for node in nodes(self.root) if _is_local(node)}


@cache
def bicep(path: Path) -> Bicep:
    """A file, parsed once."""
    return Bicep(path)


def module_file(path: Path, module: Declaration) -> Path:
    """The file that a module declaration names."""
    return (path.parent / module.of).resolve()


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def literal(node: Node) -> Any:
    """The value of a literal: texts, numbers, true and false, lists and objects of those. Anything else as it is written."""
    match node.type:
        case "string" if not any(child.type == "interpolation" for child in node.children):
            return _text(node)
        case "array":
            return [literal(child) for child in node.named_children]
        case "object":
            return {name: literal(value) for name, value in _properties(node).items()}
        case "number":
            return int(_text(node))
        case "boolean":
            return _text(node) == "true"
        case _:
            return _text(node)


def variable(path: Path, name: str) -> Any:
    """The value of a variable that is a literal."""
    return literal(bicep(path).all("variable")[name].node.named_children[-1])


def default_of(path: Path, name: str) -> Any:
    """The default of a parameter."""
    return literal(bicep(path).all("parameter")[name].node.named_children[-1])


def description_of(node: Node) -> str:
    """What the decorator ``@description`` before a declaration says."""
    return next(
        (
            _text(texts)
            for call in _decorators(node)
            if function_of(call) == "description"
            for texts in _strings(call)
        ),
        "",
    )


def decorators(declaration: Declaration) -> set[str]:
    """The names of the decorators before a declaration."""
    return {function_of(call) for call in _decorators(declaration.node)}


def _decorators(node: Node) -> Iterator[Node]:
    """Their calls; what stands in a decorator's own arguments is not told apart."""
    before = node.prev_named_sibling
    while before is not None and "comment" in before.type:  # a rule of the linter switched off
        before = before.prev_named_sibling
    if before is None or before.type != "decorators":
        return
    yield from (call for call in nodes(before) if call.type == "call_expression")


def _strings(node: Node) -> Iterator[Node]:
    return (found for found in nodes(node) if found.type == "string")


def function_of(call: Node) -> str:
    """The name of the function that a call calls."""
    return _text(call.child_by_field_name("function") or call)


def _properties(node: Node) -> dict[str, Node]:
    pairs = (child for child in node.named_children if child.type == "object_property")
    return {_key(pair): pair.named_children[-1] for pair in pairs if pair.named_child_count > 1}


def _key(pair: Node) -> str:
    return _text(pair.named_children[0])


def _text(node: Node) -> str:
    """As written; a string without its quotes and escapes."""
    written = (node.text or b"").decode()
    if node.type != "string":
        return written
    return written[1:-1].replace("\\'", "'").replace("\\\\", "\\")


def _own(node: Node, declaration: Node) -> bool:
    """Not the object of a type, a decorator or a function's argument."""
    parent = node.parent
    while parent is not None and parent != declaration:
        if parent.type in ("type", "arguments", "decorators", "object"):
            return False
        parent = parent.parent
    return True


def _refers(node: Node) -> bool:
    parent = node.parent
    if parent is None or _is_local(node):
        return False
    names = parent.type in _NAMES_OF and parent.named_children[0] == node
    return not names and parent.child_by_field_name("function") != node


def _is_local(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "lambda_expression":
        return parent.named_children[0] == node
    if parent.type == "for_statement":
        return parent.child_by_field_name("initializer") == node
    return node.type in ("loop_variable", "loop_enumerator")
