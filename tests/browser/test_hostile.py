"""Whatever a user may write into an annotation or a tag: the page shows it as text, and does nothing it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unicodedata import category

import pytest
from playwright.sync_api import expect

from reconciler.dashboard.pages import visible
from sandbox.demo_world import CLUSTER_TAG, OWNER_TAG
from tests.browser.conftest import Visit
from tests.scenarios.world import World

pytestmark = pytest.mark.browser

Json = dict[str, Any]
BAD = "</script><script>hit=1</script><img src=x onerror=hit=1>\"'`onfocus=hit=1 {{7*7}} \u202egpj.exe\u202c \U000e0041"
ANNOTATIONS = (
    "pls-create",
    "pls-name",
    "pls-resource-group",
    "pls-ip-configuration-subnet",
    "pls-ip-configuration-ip-address-count",
    "pls-ip-configuration-ip-address",
    "pls-fqdns",
    "pls-proxy-protocol",
    "pls-visibility",
    "pls-auto-approval",
    "load-balancer-internal-subnet",
    "load-balancer-ipv4",
    "pip-name",
)


@pytest.fixture(scope="module")
def hostile(world: World) -> Iterator[list[Json]]:
    """A Service for each annotation, and a PLS with hostile tags, in dev; what status tells of them."""
    names = [f"bad-{number}" for number in range(len(ANNOTATIONS))]
    for number, (name, annotation) in enumerate(zip(names, ANNOTATIONS, strict=True)):
        good = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": f"pls-{name}"}
        world.apply_service("dev", name, {**good, annotation: BAD}, port=2000 + number)
    tagged = world.make_ready("dev", "tagged", port=3000)
    for name in names[1:]:
        world.wait(f"{name} is told", lambda name=name: told(world, name), lambda: world.status("dev"))  # type: ignore[misc]
    # Without a wake-up in between: nobody repairs it before it is seen.
    world.tag_by_hand(tagged, {OWNER_TAG: f"default/{BAD}", "team": BAD})
    world.wait(
        "the owner is as the tag says", lambda: BAD in str(world.run_now("dev")["findings"]) or owner(world)
    )
    yield world.status("dev")["findings"]
    world.tag_by_hand(tagged, {OWNER_TAG: "default/tagged", CLUSTER_TAG: "kubernetes"})
    world.remove("dev", *names, "tagged")


def told(world: World, service: str) -> bool:
    """Whether status tells anything of a Service: a finding, or what it has."""
    status = world.status("dev")
    return f"default/{service}" in str([status["findings"], status["privateLinkServices"]])


def owner(world: World) -> bool:
    """Whether the hostile text is the owner of a PLS."""
    return any(BAD in link["owner"] for link in world.status("dev")["privateLinkServices"])


def test_hostile_texts_are_texts(visit: Visit, hostile: list[Json]) -> None:
    """Each sentence is shown to the letter, marks of direction by their numbers; the plan of now as well."""
    page = visit.enter("#cluster=dev")
    lines = page.locator("#detail .text").all_text_contents()
    sentences = {visible(f["sentence"]).rstrip(".") for f in hostile if f["severity"] == "error"}
    assert {s for s in sentences if not any(line.startswith(s) for line in lines)} == set()
    told = "\n".join(sentences)
    assert told.count("<script>hit=1</script>") >= 5
    owner = page.locator(".front", has_text="pls-tagged").locator("dd").first
    assert owner.text_content() == visible(f"default/{BAD}")
    assert "⟨U+202E⟩gpj.exe" in visible(BAD)
    page.get_by_role("button", name="Plan now").click()
    fresh = page.get_by_role("region", name="The plan as of now")
    expect(fresh).to_be_visible()
    assert "<script>hit=1</script>" in fresh.inner_text()
    drawn = page.locator("#detail, #fresh").evaluate_all("found => found.map(e => e.textContent).join('')")
    assert not [c for c in drawn if c not in "\t\n\r" and category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    for place in ("#detail", "#fresh", "#overview"):
        shown = page.locator(place).evaluate("e => e.innerHTML")
        assert "\u202e" not in shown
        assert page.locator(f"{place} script, {place} img, {place} [onerror], {place} [onfocus]").count() == 0
    assert page.evaluate("typeof hit") == "undefined"


def test_even_a_script_that_got_in_would_not_run(visit: Visit) -> None:
    """The second line: the policy stops what no escaping stopped."""
    visit.allowed = "Content Security Policy|violates"
    page = visit.enter("#cluster=dev")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=hit=1>');"
        "const s = document.createElement('script'); s.textContent = 'hit=1'; document.body.append(s);"
        "const t = document.createElement('script'); t.src = 'https://example.com/x.js'; document.body.append(t);"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("typeof hit") == "undefined"
    assert visit.troubles
    visit.requests.clear()
