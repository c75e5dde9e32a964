"""docs/events.md: its examples are made by the code. `python -m tests.docs.test_events` writes them anew."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from reconciler import published
from reconciler.model import OWNER_TAG
from tests import builders
from tests.builders import service
from tests.docs.pages import ROOT, blocks, first_column, tables, text_of
from tests.infra.bicep import INFRA, variable
from tests.shell import world as worlds
from tests.shell.test_publishing import Published

Json = dict[str, Any]
NAME = "docs/events.md"
ALIAS = "internal-app.5b0c8e0a-3c1f-4c52-9d55-0d3f6c1f7a10.eastus.azure.privatelinkservice"
TYPES = (published.READY, published.REFUSED, published.DELETED, published.OWNER_CHANGED)
MARKED = re.compile(r"(?<=<!-- events -->\n\n).*?(?=<!-- events end -->)", re.S)


def story() -> dict[str, Json]:
    """The first event of each type: a link shared, handed over, refused, taken away."""
    app = service("internal-app", namespace="default", settings={"name": "internal-app"})
    sharer = service("other-app", namespace="default", age_days=1)
    played = Published(app, slow=True)
    played.world.cluster.put(sharer)
    played.world.azure.store(worlds.balancer([worlds.front(app, sharer)]))
    played.run()
    pls_id = builders.pls_id("internal-app")
    body = played.world.azure.document(pls_id)
    body["properties"]["alias"] = ALIAS
    played.world.azure.store(body)
    played.settled(30)
    played.world.change(app, name="internal-app", **{"ip-configuration-ip-address-count": "many"})
    played.run()
    played.world.azure.store({**body, "tags": {**body["tags"], OWNER_TAG: sharer.key}})
    played.settled(30)
    for each in (app, sharer):
        played.world.remove(each)
    played.settled(60)
    found: dict[str, Json] = {}
    for event in played.topic.events:
        found.setdefault(event["type"], dict(event))
    return found


def shortened(value: Any) -> Any:
    """ARM ids cut to their last two parts, wherever they stand."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return (
        re.sub(r"/subscriptions/[^\s)]*?((?:/[^/\s)]+){2})(?=[\s),.:;]|$)", r"…\1", value)
        if isinstance(value, str)
        else value
    )


def written() -> str:
    """The examples as the page must have them."""
    events = story()
    texts = (json.dumps(shortened(events[kind]), indent=2, ensure_ascii=False) for kind in TYPES)
    return "".join(f"```json\n{text}\n```\n\n" for text in texts)


def test_the_examples_are_the_codes_own() -> None:
    """A key that was renamed in the code alone would be read in vain."""
    (found,) = MARKED.findall(text_of(NAME))
    assert found == written()


def test_types_and_keys_have_a_row_each() -> None:
    """And nothing that is never sent."""
    known = tables(text_of(NAME))
    assert first_column(known["Type | When"]) == list(TYPES)
    for event in story().values():
        assert first_column(known["Key of `data` | Meaning"]) == list(event["data"])


def test_what_people_copy_fits_what_is_sent() -> None:
    """The filter on the subject, and the types; the role is the one that Bicep gives."""
    page, event = text_of(NAME), story()[published.READY]
    (subject,) = re.findall(r"--subject-ends-with (\S+)", page)
    assert event["subject"].endswith(subject)
    (types,) = re.findall(r"--included-event-types (.+?) --", page)
    assert set(types.split()) <= set(TYPES)
    assert f"`{variable(INFRA / 'modules/publishing.bicep', 'eventGridDataSender')}`" in page
    assert str(published.MOST_EVENTS) in page
    assert f"{published.MOST_MESSAGE:,}" in page


def test_the_last_line_reads_an_event() -> None:
    """The line that takes an event apart, with a real one: the alias and 0, or the reason and 1."""
    script = next(block.text for block in blocks(text_of(NAME), "sh") if "base64 -d" in block.text)
    line = next(line for line in script.splitlines() if "base64 -d" in line).partition("| base64 -d | ")[2]
    events = story()
    for kind, code, key in ((published.READY, 0, "alias"), (published.REFUSED, 1, "message")):
        answer = subprocess.run(
            line, shell=True, input=json.dumps(events[kind]), capture_output=True, text=True, check=False
        )
        assert (answer.returncode, answer.stdout.strip()) == (code, events[kind]["data"][key])


if __name__ == "__main__":
    text = text_of(NAME)
    before, _, rest = text.partition("<!-- events -->\n\n")
    _, _, after = rest.partition("<!-- events end -->")
    (ROOT / NAME).write_text(
        f"{before}<!-- events -->\n\n{written()}<!-- events end -->{after}", encoding="utf-8"
    )
