"""The command lines of a page, taken apart as a shell would, as far as pages need it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.docs.pages import blocks

_KEYWORDS = ("until", "while", "do", "if", "then")
_PUNCTUATION = set("();<>|&")
_INLINE = ("az", "azd", "kubectl", "make", "plsctl", "python", "curl", "infra/")
_ELLIPSIS = "…"


def commands(text: str) -> list[list[str]]:
    """The words of each command in shell blocks, and of those in running text that begin with a program's name.

    What stands in ``$(…)`` is a command of its own. Raises ValueError for a quote that is not closed.
    """
    return [words for line in _lines(text) for words in _commands(line)]


def scripts(text: str) -> str:
    """The shell blocks, one after another."""
    return "\n".join(block.text for block in blocks(text, "sh"))


def _lines(text: str) -> Iterator[str]:
    yield from scripts(text).replace("\\\n", " ").splitlines()
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for code in re.findall(r"`([^`\n]+)`", prose):
        words = code.split()
        if len(words) > 1 and words[0].startswith(_INLINE) and _ELLIPSIS not in code:
            yield code.replace(r"\|", "|")


def _commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if not words and token in _KEYWORDS:
            continue
        if set(token) <= _PUNCTUATION:
            yield from [words] if words else []
            words = []
            continue
        words.append(token)
        for inner in re.findall(r"\$\((.*)\)", token):
            yield from _commands(inner)
