"""Evaluates Bicep expressions: as much of the language as our files use, so that tests can ask what a deployment would do.

Not the compiler: no types, no scopes. A property that is not there, or a function that is not known, is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.infra.bicep import bicep

_TOKEN = re.compile(
    r"\s+|//[^\n]*"
    r"|(?P<string>'(?:\\.|\$\{(?:[^{}']|'[^']*')*\}|[^'\\])*')"
    r"|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>=>|\?\?|\.\?|\[\?|\|\||&&|==|!=|>=|<=|[-+*<>!?:.,()\[\]{}])"
)
_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\$": "$"}
_WORDS = {"true": True, "false": False, "null": None}
# From loose to tight.
_OPERATORS: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"||": lambda a, b: a or b},
    {"&&": lambda a, b: a and b},
    {"==": lambda a, b: a == b, "!=": lambda a, b: a != b},
    {">": lambda a, b: a > b, "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
)
Names = Mapping[str, Any]


def variable_of(path: Path, name: str, given: Names) -> Any:
    """The value of a variable of a file. ``given`` are parameters, and functions that stand for Azure."""
    return evaluate(_right_side(path, name), Scope(path, given))


def _right_side(path: Path, name: str) -> str:
    return (bicep(path).all("variable")[name].node.text or b"").decode().partition("=")[2]


class Scope(dict[str, Any]):
    """Names of a file: what is given, variables worked out when asked for, and the functions."""

    def __init__(self, path: Path, given: Names) -> None:
        super().__init__(FUNCTIONS)
        self.path = path
        self["loadJsonContent"] = lambda name: json.loads((path.parent / name).read_text())
        self.update(given)

    def __missing__(self, name: str) -> Any:
        self[name] = evaluate(_right_side(self.path, name), self)
        return self[name]


def evaluate(text: str, names: Names) -> Any:
    """The value of one expression."""
    reader = _Reader(_tokens(text))
    value = reader.expression()(names)
    assert not reader.left, f"not read to its end: {reader.left[:5]}"
    return value


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match, f"no Bicep: {text[at : at + 20]!r}"
        at = match.end()
        if match.lastgroup:
            found.append(match.group())
    return found


_Value = Callable[[Names], Any]


class _Reader:
    """Tokens into a function of the names."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def expression(self) -> _Value:
        if len(self.left) > 1 and self.left[1] == "=>":
            return self._lambda()
        test = self._coalesced()
        if not self._eat("?"):
            return test
        yes = self.expression()
        self._need(":")
        no = self.expression()
        return lambda names: yes(names) if test(names) else no(names)

    def _lambda(self) -> _Value:
        name = self.left.pop(0)
        self._need("=>")
        body = self.expression()
        return lambda names: lambda value: body(_Local(names, name, value))

    def _coalesced(self) -> _Value:
        first = self._binary(0)
        if not self._eat("??"):
            return first
        other = self._coalesced()

        def value(names: Names) -> Any:
            found = first(names)
            return other(names) if found is None else found

        return value

    def _binary(self, level: int) -> _Value:
        if level == len(_OPERATORS):
            return self._unary()
        value = self._binary(level + 1)
        while self.left and self.left[0] in _OPERATORS[level]:
            value = _both(_OPERATORS[level][self.left.pop(0)], value, self._binary(level + 1))
        return value

    def _unary(self) -> _Value:
        if self._eat("!"):
            inner = self._unary()
            return lambda names: not inner(names)
        return self._followed(self._primary())

    def _primary(self) -> _Value:
        token = self.left.pop(0)
        if token == "(":
            inner = self.expression()
            self._need(")")
            return inner
        if token == "[":
            return self._array()
        if token == "{":
            return self._object()
        if token[0] == "'":
            return _string(token)
        if token in _WORDS:
            return lambda names: _WORDS[token]
        return (lambda names: int(token)) if token.isdigit() else (lambda names: names[token])

    def _followed(self, value: _Value) -> _Value:
        while self.left and self.left[0] in (".", ".?", "[", "[?", "(", "!"):
            mark = self.left.pop(0)
            if mark == "(":
                value = _called(value, self._arguments())
            elif mark in (".", ".?"):
                value = _member(value, _constant(self.left.pop(0)), safe=mark == ".?")
            elif mark != "!":
                value = _member(value, self.expression(), safe=mark == "[?")
                self._need("]")
        return value

    def _arguments(self) -> list[_Value]:
        found = []
        while not self._eat(")"):
            found.append(self.expression())
            self._eat(",")
        return found

    def _array(self) -> _Value:
        found = []
        while not self._eat("]"):
            found.append(self.expression())
            self._eat(",")
        return lambda names: [item(names) for item in found]

    def _object(self) -> _Value:
        pairs = []
        while not self._eat("}"):
            key = self.left.pop(0)
            self._need(":")
            pairs.append((_string(key) if key[0] == "'" else _constant(key), self.expression()))
            self._eat(",")
        return lambda names: {key(names): value(names) for key, value in pairs}

    def _eat(self, token: str) -> bool:
        if self.left[:1] == [token]:
            self.left.pop(0)
            return True
        return False

    def _need(self, token: str) -> None:
        assert self._eat(token), f"{token} is missing before {self.left[:5]}"


class _Local(dict[str, Any]):
    def __init__(self, outer: Names, name: str, value: Any) -> None:
        super().__init__({name: value})
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        return self._outer[name]


def _constant(value: Any) -> _Value:
    return lambda names: value


def _both(operator: Callable[[Any, Any], Any], left: _Value, right: _Value) -> _Value:
    return lambda names: operator(left(names), right(names))


def _called(function: _Value, arguments: list[_Value]) -> _Value:
    return lambda names: function(names)(*(argument(names) for argument in arguments))


def _member(value: _Value, key: _Value, *, safe: bool) -> _Value:
    def found(names: Names) -> Any:
        holder, name = value(names), key(names)
        if not safe:
            return holder[name]
        try:
            return None if holder is None else holder[name]
        except (KeyError, IndexError):
            return None

    return found


def _string(token: str) -> _Value:
    parts = re.split(r"(\\.|\$\{(?:[^{}']|'[^']*')*\})", token[1:-1])
    values = [
        _Reader(_tokens(part[2:-1])).expression()
        if part.startswith("${")
        else _constant(_ESCAPES.get(part, part))
        for part in parts
    ]
    return lambda names: "".join(str(value(names)) for value in values)


def _union(first: Any, *others: Any) -> Any:
    if isinstance(first, list):
        return list(
            {json.dumps(item, sort_keys=True): item for part in (first, *others) for item in part}.values()
        )
    merged = dict(first)
    for other in others:
        for key, value in other.items():
            both = isinstance(merged.get(key), dict) and isinstance(value, dict)
            merged[key] = _union(merged[key], value) if both else value
    return merged


def _to_object(items: list[Any], key: Any, value: Any = lambda item: item) -> dict[str, Any]:
    return {key(item): value(item) for item in items}


FUNCTIONS: dict[str, Any] = {
    "any": lambda value: value,
    "concat": lambda *parts: [item for part in parts for item in part],
    "contains": lambda holder, item: item in holder,
    "empty": lambda value: not value,
    "endsWith": lambda text, end: text.lower().endswith(end.lower()),
    "filter": lambda items, test: [item for item in items if test(item)],
    "flatten": lambda lists: [item for part in lists for item in part],
    "guid": lambda *parts: "guid of " + " ".join(parts),
    "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
    "last": lambda items: items[-1],
    "length": len,
    "map": lambda items, change: [change(item) for item in items],
    "split": lambda text, mark: text.split(mark),
    "string": lambda value: json.dumps(value, separators=(",", ":")),
    "take": lambda value, count: value[:count],
    "toLower": str.lower,
    "toObject": _to_object,
    "union": _union,
    "uniqueString": lambda *parts: "unique" + "".join(parts),
}
