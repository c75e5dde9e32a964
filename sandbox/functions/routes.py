"""Route templates of HTTP triggers: `clusters/{name}`, `plan/{cluster?}`, `{id:int}`, `files/{*rest}`."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

_SEGMENT = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<kind>\w+))?(?P<optional>\??)\}")
_KINDS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "bool": r"[Tt]rue|[Ff]alse",
    "guid": r"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}",
}


@dataclass(frozen=True)
class Route:
    """A compiled template; the lower its rank, the earlier it is tried (literals before parameters)."""

    template: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of a raw (still quoted) path without its leading slash, or None."""
        found = self.pattern.fullmatch(path.rstrip("/"))
        if found is None:
            return None
        return {n: unquote(v) for n, v in found.groupdict().items() if v is not None}


def compile_route(template: str) -> Route:
    """Compile a template, prefix included. Raises ValueError on one it cannot read."""
    pattern, rank = "", []
    for position, segment in enumerate(filter(None, template.split("/"))):
        text, weight = _segment(segment, "/" if position else "", template)
        pattern += text
        rank.append(weight)
    return Route(template, re.compile(pattern, re.IGNORECASE), tuple(rank))


def _segment(segment: str, slash: str, template: str) -> tuple[str, int]:
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        if "{" in segment or "}" in segment:
            raise ValueError(f"route {template!r}: cannot read {segment!r}")
        return slash + re.escape(segment), 0
    if match["rest"]:
        return f"(?:{slash}(?P<{match['name']}>.*))?", 3
    if match["kind"] and match["kind"] not in _KINDS:
        raise ValueError(f"route {template!r}: this host has no constraint {match['kind']!r}")
    value = f"(?P<{match['name']}>{_KINDS.get(match['kind'], '[^/]+')})"
    text = slash + value
    return (f"(?:{text})?" if match["optional"] else text), 1 if match["kind"] else 2
