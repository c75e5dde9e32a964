"""Reads queries (KQL) as far as the tests need them: tables, the metrics and spans they ask for, and every name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

# Columns of the tables of Application Insights in a workspace, those that we use.
TABLES = {
    "AppMetrics": {"TimeGenerated", "Name", "Sum", "ItemCount", "Min", "Max", "Properties"},
    "AppDependencies": {"TimeGenerated", "Name", "Success", "DurationMs", "OperationId", "Properties"},
    "AppTraces": {"TimeGenerated", "Message", "SeverityLevel", "Properties"},
}
WORDS = {
    *(
        "let",
        "where",
        "extend",
        "summarize",
        "project",
        "order",
        "by",
        "asc",
        "desc",
        "top",
        "distinct",
        "union",
    ),
    *("and", "or", "in", "true", "false"),
    *("tostring", "toint", "ago", "bin", "isnull", "isnotempty", "strcat", "percentile", "make_set"),
    *("sum", "sumif", "min", "minif", "max", "maxif", "count", "countif", "arg_max"),
}
# Keywords that cannot be names for Kusto's own parser (Kusto.Language, SyntaxFacts), of those one might think of.
RESERVED = {
    *("alias", "cancel", "date", "earliest", "external", "filter", "find", "first", "flags", "has", "join"),
    *("last", "latest", "like", "limit", "long", "missing", "of", "on", "order", "parse", "print", "real"),
    *("relaxed", "reset", "run", "sample", "sandbox", "search", "set", "simple", "single", "sort", "string"),
    *("take", "throw", "time", "timespan", "to", "top", "verbose", "where", "with"),
}
_TEXT = re.compile(r'"[^"\n]*"')
_NAME = re.compile(r"(?<![\w.{])[A-Za-z_]\w*")  # not a member, a time span or a parameter of the workbook


@dataclass(frozen=True)
class Query:
    """A query. ``text`` may have parameters of a workbook in braces."""

    text: str

    @cached_property
    def bare(self) -> str:
        """Without texts."""
        return _TEXT.sub('""', self.text)

    @property
    def tables(self) -> set[str]:
        """The tables it reads."""
        return {name for name in TABLES if re.search(rf"\b{name}\b", self.bare)}

    @property
    def names(self) -> set[str]:
        """What it asks for by `Name`: metrics, or spans."""
        clauses = re.findall(r'\bName (?:==|in) (\([^)]*\)|"[^"]*")', self.text)
        return {text[1:-1] for clause in clauses for text in _TEXT.findall(clause)}

    @property
    def properties(self) -> set[str]:
        """The attributes and fields it reads."""
        return self.members | set(re.findall(r'\bProperties\["(\w+)"\]', self.text))

    @property
    def members(self) -> set[str]:
        """Those that are read by a name, not by a text."""
        return set(re.findall(r"\bProperties\.(\w+)", self.bare))

    def compared(self, name: str) -> set[str]:
        """The texts that a column of its own, or a property, is compared with."""
        clauses = re.findall(rf'\b{name} (?:==|!=|!?in) (\([^)]*\)|"[^"]*")', self.text)
        return {text[1:-1] for clause in clauses for text in _TEXT.findall(clause)}

    @property
    def defined(self) -> set[str]:
        """Names that it gives itself."""
        return set(re.findall(r"\b([A-Za-z_]\w*) = ", self.bare))

    @property
    def unknown(self) -> set[str]:
        """Names that are neither words of the language, nor columns of its tables, nor its own."""
        columns = {column for table in self.tables for column in TABLES[table]}
        return set(_NAME.findall(self.bare)) - WORDS - columns - self.tables - self.defined
