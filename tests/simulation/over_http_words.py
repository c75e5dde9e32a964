"""The words in which both stages tell the same: what a server gives out is replaced by what the simulation would have.

UIDs are those of the simulation's API (a hash over cluster, name and the number of the creation), so that names
made of them sort alike and a step that picks the n-th PLS picks the same one.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import Any

from tests.simulation.steps import Settings

# The sandbox takes GUIDs only, as ARM does.
SUBSCRIPTIONS = {
    "sub-1": "00000000-0000-0000-0000-0000000000a1",
    "sub-2": "00000000-0000-0000-0000-0000000000a2",
}
# The simulation's subnets have one range, the sandbox's a range each: static addresses of the second one.
ELSEWHERE = {"10.224.7.1": "10.225.0.71", "10.224.7.2": "10.225.0.72"}


class Words:
    """Translates documents of the servers into the simulation's words, and UIDs as they are made."""

    def __init__(self) -> None:
        self._words = {guid: name for name, guid in SUBSCRIPTIONS.items()}
        self._words |= {there: here for here, there in ELSEWHERE.items()}
        self._made: Counter[str] = Counter()

    def made(self, cluster: str, name: str, uid: str) -> None:
        """A Service was made."""
        self._made[cluster] += 1
        theirs = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{cluster}/{name}/{self._made[cluster]}"))
        self._words[uid] = theirs
        self._words[_form(uid)] = _form(theirs)

    def told(self, document: Any) -> Any:
        """The document in the simulation's words."""
        text = json.dumps(document)
        for word, instead in self._words.items():
            text = text.replace(word, instead)
        return json.loads(text)

    def text(self, text: str) -> str:
        """The same of a text."""
        return str(self.told(text))


def _form(uid: str) -> str:
    return ("a" + uid.replace("-", ""))[:32]


def sent(annotations: dict[str, str], settings: Settings) -> dict[str, str]:
    """Annotations as the servers understand them."""
    text = json.dumps(annotations)
    for name, guid in SUBSCRIPTIONS.items():
        text = text.replace(name, guid)
    for here, there in ELSEWHERE.items() if settings.subnet == "pls-subnet" else ():
        text = text.replace(here, there)
    found: dict[str, str] = json.loads(text)
    return found
