"""The dashboard in a real browser, before the running sandbox: what it shows, and who can use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from reconciler.dashboard.pages import visible
from tests.browser.conftest import IMAGES, Visit, visiting
from tests.scenarios.hosts import host
from tests.scenarios.world import World

pytestmark = pytest.mark.browser

Json = dict[str, Any]
PHONE = {"width": 360, "height": 780}
DESK = {"width": 1100, "height": 1100}
REFUSED_BY_SERVER = "Failed to load resource.*40[0-9]"


def texts(page: Page, selector: str) -> list[str]:
    """The texts of the visible elements."""
    return [found.inner_text() for found in page.locator(selector).all() if found.is_visible()]


def pairs(place: Locator) -> dict[str, str]:
    """The terms of a description list."""
    return dict(
        zip(place.locator("dt").all_text_contents(), place.locator("dd").all_text_contents(), strict=True)
    )


# What it shows


def test_the_page_alone_tells_nothing(visit: Visit) -> None:
    """Without a key there is a form, and nothing of any cluster; no data is even asked for."""
    page = visit.open()
    expect(page.get_by_label("Function key")).to_be_focused()
    assert "prod" not in page.content()
    assert not [r for r in visit.requests if "/data" in r.url]


def test_the_picture_is_that_of_the_ledger(visit: Visit) -> None:
    """Load balancer, frontends, Private Link Services, who uses them, connections: as status tells them."""
    page = visit.enter("#cluster=prod")
    seen = [drawn(row) for row in page.locator(".front").all()]
    status = visit.world.status("prod")
    assert sorted(seen, key=str) == sorted(expected(status), key=str)
    assert page.locator(".lb").all_inner_texts() == ["Load balancer\nkubernetes-internal"]
    assert {f["loadBalancer"] for f in status["frontends"]} == {"kubernetes-internal"}


def drawn(row: Locator) -> Json:
    """A frontend as it is drawn, from left to right."""
    frontend, link, ends = row.locator(".node").all()
    named = link.locator(".name")
    has = named.count() > 0
    return {
        "frontend": frontend.locator("code").text_content(),
        "name": named.text_content() if has else "",
        "state": link.locator(".badge").text_content() if has else "",
        "alias": link.locator(".alias").text_content() if has else "",
        "uses": pairs(link),
        "connections": ends.locator(".badge").all_text_contents(),
    }


def expected(status: Json) -> Iterator[Json]:
    """The same of the status."""
    links = {link["id"].lower(): link for link in status["privateLinkServices"]}
    for frontend in status["frontends"]:
        link = links.get(frontend["privateLinkService"].lower(), {})
        refused = [s["service"] for s in frontend["services"] if s["role"] == "refused"]
        lists = {"Shared by": link.get("sharers"), "Refused": refused, "NAT": link.get("natIps")}
        owner = {"Owner": link["owner"]} if link else {}
        yield {
            "frontend": frontend["name"],
            "name": link.get("name", ""),
            "state": link.get("state", ""),
            "alias": link.get("alias", ""),
            "uses": owner | {name: ", ".join(items) for name, items in lists.items() if items},
            "connections": [f"{n} {state}" for state, n in sorted(link.get("connections", {}).items())],
        }


def test_refusals_come_first_and_in_the_words_of_the_finding(visit: Visit) -> None:
    """Reason and sentence as everywhere else, before the picture."""
    page = visit.enter("#cluster=prod")
    (finding,) = [f for f in visit.world.status("prod")["findings"] if f["severity"] == "error"]
    line = page.locator("#detail section").first.locator(".row")
    assert line.locator(".about").inner_text() == finding["service"] == "default/search"
    assert line.locator(".reason").inner_text() == f"Refused{finding['reason']}"
    assert line.locator(".text").inner_text() == f"{finding['sentence'].rstrip('.')}."


def test_all_clusters_at_a_glance_those_in_trouble_first(visit: Visit) -> None:
    """Counts beside each; a click shows the other, and the address tells which."""
    page = visit.enter()
    cards = page.locator(".clusters li")
    assert [card.locator("a").inner_text() for card in cards.all()] == ["prod", "dev"]
    counted = pairs(cards.first)
    assert (counted["Private Link Services"], counted["Refused"]) == ("2", "1")
    assert counted["Connections"] == "2 approved"
    page.get_by_role("link", name="dev").click()
    expect(page.locator("#detail h2")).to_contain_text("dev")
    assert page.url.endswith("#cluster=dev")
    expect(page).to_have_title("dev · Private Link Services")


def test_the_timeline_is_the_history(visit: Visit) -> None:
    """The newest first."""
    page = visit.enter("#cluster=prod")
    told = [visible(entry["sentence"]) for entry in visit.world.history("prod")]
    assert page.locator(".history .text").all_text_contents() == told[:100]


def test_an_unknown_cluster_is_told(visit: Visit) -> None:
    """An old bookmark; the others are shown."""
    visit.allowed = REFUSED_BY_SERVER
    page = visit.open("#cluster=gone")
    page.get_by_label("Function key").fill(visit.key)
    page.get_by_role("button", name="Show the clusters").click()
    expect(page.locator("#detail h2")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("there is no cluster 'gone'")
    assert "gone" not in page.url


def test_what_is_shown_stays_where_another_becomes_urgent(visit: Visit) -> None:
    """A refresh must not lead to another cluster under the hand that presses Resync."""
    world, page = visit.world, visit.enter()
    head = page.locator("#detail h2")
    shown = (head.text_content() or "").split()[0]
    other = "dev" if shown == "prod" else "prod"
    world.expect(world.sandbox.function("POST", f"/api/pause?cluster={other}"), 200)
    try:
        page.get_by_role("button", name="Plan now").click()
        expect(page.locator("#fresh")).to_be_visible()
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as who comes back to the tab
        expect(page.locator(".clusters li").first).to_contain_text("Paused")
        expect(head).to_contain_text(shown)
        expect(page.locator("#fresh")).to_be_visible()
    finally:
        world.expect(world.sandbox.function("POST", f"/api/resume?cluster={other}"), 202)


# What one does with it


def test_the_filter_leaves_what_fits(visit: Visit) -> None:
    """By words anywhere in it, by state, by both; it says how many are left."""
    page = visit.enter("#cluster=prod")
    found = page.locator("#found")
    page.get_by_role("searchbox").fill("BILLING pls")
    expect(found).to_have_text("1 of 3 frontends")
    assert texts(page, ".front .name") == ["pls-billing"]
    assert all("billing" in line for line in texts(page, ".history .text"))
    page.get_by_role("searchbox").fill("")
    page.get_by_label("State").select_option("Needs attention")
    expect(found).to_have_text("1 of 3 frontends")
    assert texts(page, ".front .name") == []
    page.get_by_role("searchbox").fill("nothing like it")
    expect(found).to_have_text("0 of 3 frontends")
    assert texts(page, ".balancer") == []


def test_resync_leads_to_a_new_run(visit: Visit) -> None:
    """Asked for by a person, and shown once it has ended."""
    before = visit.world.status("prod")["lastRun"]["run"]
    page = visit.enter("#cluster=prod")
    page.get_by_role("button", name="Resync").click()
    expect(page.locator("#notice")).to_have_text("The run of prod is done.")
    after = visit.world.status("prod")["lastRun"]
    assert after["run"] != before
    assert after["reason"] == "manual"
    expect(page.get_by_role("button", name="Resync")).to_be_enabled()


def test_a_run_of_one_cluster_is_not_told_of_another(visit: Visit) -> None:
    """Who looks at another one meanwhile is told nothing false."""
    page = visit.enter("#cluster=prod")
    page.route("**/api/resync**", lambda route: route.fulfill(status=202, json={}))  # and no run comes of it
    page.get_by_role("button", name="Resync").click()
    expect(page.locator("#notice")).to_contain_text("A run of prod is asked for")
    page.get_by_role("link", name="dev").click()
    expect(page.locator("#detail h2")).to_contain_text("dev")
    expect(page.locator("#notice")).to_be_empty()


def test_plan_now_shows_what_would_be_written_and_a_pause_is_respected(visit: Visit) -> None:
    """A paused cluster is told as such, plans, and does not run."""
    world = visit.world
    world.expect(world.sandbox.function("POST", "/api/pause?cluster=dev"), 200)
    visit.allowed = REFUSED_BY_SERVER
    try:
        world.make("dev", "later")
        world.address("dev", "later")
        page = visit.enter("#cluster=dev")
        expect(page.locator(".clusters .selected .badge").first).to_have_text("Paused")
        page.get_by_role("button", name="Plan now").click()
        plan = page.get_by_role("region", name="The plan as of now")
        expect(plan).to_be_focused()
        assert "create Private Link Service pls-later for Service default/later" in plan.inner_text()
        assert serious(page) == []
        plan.get_by_role("button", name="Close").click()
        expect(page.get_by_role("button", name="Plan now")).to_be_focused()
        page.get_by_role("button", name="Resync").click()
        expect(page.locator("#notice")).to_contain_text("cluster dev is paused; resume it first")
    finally:
        world.expect(world.sandbox.function("POST", "/api/resume?cluster=dev"), 202)
        world.remove("dev", "later")


# Keys


def test_a_wrong_key_is_told_and_forgotten(visit: Visit) -> None:
    """The form comes back, and the next one works."""
    visit.allowed = REFUSED_BY_SERVER
    page = visit.open()
    page.get_by_label("Function key").fill("not-the-key")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("This key was not accepted.")
    expect(page.get_by_label("Function key")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_label("Function key").fill(visit.key)
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_visible()
    expect(page.locator("#notice")).to_be_empty()


def test_what_no_header_takes_is_no_key(visit: Visit) -> None:
    """As a text pasted with an ellipsis: it is told at once, and the tab keeps none of it."""
    page = visit.open()
    for wrong in ("abc\u2026", "\u200babc", "   ", "two words"):
        page.get_by_label("Function key").fill(wrong)
        page.keyboard.press("Enter")
        expect(page.locator("#notice")).to_contain_text("This is no key")
        assert page.evaluate("sessionStorage.length") == 0
        page.evaluate("document.getElementById('notice').textContent = ''")
    page.reload()
    expect(page.get_by_label("Function key")).to_be_visible()


def test_the_key_stays_in_this_tab(visit: Visit) -> None:
    """A reload keeps it; another tab, cookies, and what outlives the browser have none of it; a button drops it."""
    page = visit.enter("#cluster=prod")
    visit.reload()
    assert visit.key not in page.url
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_label("Function key")).to_be_visible()
    assert "pls-web" not in other.content()
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("Function key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    assert "pls-web" not in page.content()


def test_a_viewers_key_opens_the_data_alone(visit: Visit) -> None:
    """What it does not open says so, and what was looked at stays."""
    visit.allowed = REFUSED_BY_SERVER
    viewer = visit.world.sandbox.endpoints["functions"]["keys"]["functions"]["dashboard_data"]["default"]
    page = visit.enter("#cluster=prod", key=viewer)
    for name in ("Resync", "Plan now"):
        page.get_by_role("button", name=name).click()
        expect(page.locator("#notice")).to_contain_text("This key opens the data and nothing else.")
        assert "pls-web" in texts(page, ".front .name")


def test_who_is_signed_in_by_the_platform_needs_no_key(
    browser: Browser, world: World, tmp_path: Path
) -> None:
    """To look; to act, a key is asked for, and what was looked at stays."""
    with host(world, tmp_path, "portal", ("--no-timers",), WEBSITE_AUTH_ENABLED="True") as portal:
        address = f"{portal.running.url}/api/dashboard#cluster=prod"
        options: Json = {"extra_http_headers": {"X-MS-CLIENT-PRINCIPAL": "e30="}}
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(address)
        expect(page.locator(".front .name").first).to_be_visible()
        expect(page.get_by_role("button", name="Forget the key")).to_be_hidden()
        page.get_by_role("button", name="Resync").click()
        expect(page.locator("#notice")).to_contain_text("to act, a function key is needed")
        expect(page.get_by_label("Function key")).to_be_focused()
        expect(page.locator(".front .name").first).to_be_visible()
        context.close()
        stranger = browser.new_page()
        stranger.goto(address)
        expect(stranger.locator("#notice")).to_contain_text("You are not signed in")
        assert "pls-web" not in stranger.content()
        stranger.close()


def test_functions_that_cannot_be_reached_are_told(visit: Visit) -> None:
    """What was seen last stays."""
    visit.allowed = "ERR_FAILED"
    page = visit.enter("#cluster=prod")
    page.route("**/api/dashboard/data*", lambda route: route.abort())
    page.get_by_label("Refresh every 15 s").uncheck()
    page.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    expect(page.locator("#notice")).to_contain_text("cannot be reached")
    assert "pls-web" in texts(page, ".front .name")
    page.unroute("**/api/dashboard/data*")
    page.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    expect(page.locator("#notice")).to_be_empty()


# For everybody


def serious(page: Page) -> list[Any]:
    """What axe finds serious or critical, all rules."""
    found = Axe().run(page).response["violations"]
    return [
        (v["id"], v["impact"], [node["html"] for node in v["nodes"]][:3])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(browser: Browser, world: World, scheme: str, width: int) -> None:
    """Neither on the form nor on the data; contrast in both schemes."""
    size = {"width": width, "height": 900}
    with visiting(browser, world, color_scheme=scheme, viewport=size) as visit:
        page = visit.open()
        assert serious(page) == []
        page = visit.enter("#cluster=prod")
        assert serious(page) == []


def test_dark_is_dark(browser: Browser, world: World) -> None:
    """As the system wishes it."""
    shades = {}
    for scheme in ("light", "dark"):
        with visiting(browser, world, color_scheme=scheme) as visit:
            page = visit.enter()
            color = page.evaluate("getComputedStyle(document.body).backgroundColor")
            shades[scheme] = sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))
    assert shades["dark"] < 150 < 600 < shades["light"]


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, world: World) -> None:
    """Nothing is wider than 360 px, the form included."""
    with visiting(browser, world, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
        assert widest(visit.open()) <= PHONE["width"]
        page = visit.enter("#cluster=prod")
        assert widest(page) <= PHONE["width"]
        assert page.locator(".front .name").first.is_visible()


def widest(page: Page) -> int:
    """Where the page ends on the right, in px."""
    found: int = page.evaluate(
        "Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll('body *:not(.skip):not(.off)')]"
        ".map((e) => Math.floor(e.getBoundingClientRect().right)))"
    )
    return found


def test_a_keyboard_is_enough(visit: Visit) -> None:
    """Key, filter and resync in the order of the page; who has the focus is seen."""
    page = visit.open("#cluster=prod")
    expect(page.get_by_label("Function key")).to_be_focused()
    page.keyboard.type(visit.key)
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_visible()
    expect(page.locator("#overview")).to_be_focused()
    visit.reload()
    order = [focused(page) for _ in range(8)]
    assert order == [
        "Skip to the cluster",
        "live",
        "Forget the key",
        "prod",
        "dev",
        "words",
        "group",
        "Resync",
    ]
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("The run of prod is done.")
    assert page.evaluate("document.activeElement.id") == "resync"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("billing")
    expect(page.locator("#found")).to_have_text("1 of 3 frontends")


def focused(page: Page) -> str:
    """What the next Tab leads to; its outline is visible."""
    page.keyboard.press("Tab")
    name, width = page.evaluate(
        "(() => { const e = document.activeElement; return [e.id === 'resync' || e.id === 'forget' ? e.textContent"
        " : e.id || e.textContent, parseFloat(getComputedStyle(e).outlineWidth)]; })()"
    )
    assert width >= 2, name
    return str(name)


# Pictures for the pages


@pytest.mark.skipif(not os.environ.get("WRITE_DOCS"), reason="WRITE_DOCS=1 writes the pictures of the pages")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": DESK}),
        ("dark", {"viewport": DESK, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "device_scale_factor": 2}),
    ],
)
def test_pictures_for_the_pages(browser: Browser, world: World, name: str, options: Json) -> None:
    """docs/images: what a user sees of this very sandbox; small enough for a page."""
    IMAGES.mkdir(exist_ok=True)
    with visiting(browser, world, **options) as visit:
        page = visit.enter("#cluster=prod")
        path = IMAGES / f"dashboard-{name}.png"
        page.screenshot(path=path)
        assert path.stat().st_size < 200_000
