"""A real browser before a running sandbox. Every page is watched: no script error, no console line, no violation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# At the end pytest's plugin of hypothesis imports it; after Playwright's greenlets Python 3.11 compiles no module any more.
import hypothesis.internal.observability  # noqa: F401
import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect, sync_playwright

from sandbox.up import Sandbox, SandboxOptions
from tests.browser.chromium import NoChromium, find
from tests.scenarios.leaks import in_logs
from tests.scenarios.world import World

Json = dict[str, Any]
SECONDS = 20_000.0  # milliseconds: machines that run tests are slow at times; only what fails waits so long
expect.set_options(timeout=SECONDS)


@pytest.fixture(scope="session")
def browser(world: World) -> Iterator[Browser]:
    """The browser that is on the machine. The world outlives it: Playwright occupies this thread's event loop."""
    try:
        path = find()
    except NoChromium as missing:
        pytest.exit(str(missing), returncode=1)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Two clusters: prod with all that a picture shows, dev with nothing. At the end no log may hold a key."""
    with Sandbox.start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.3)) as sandbox:
        world = World(sandbox)
        populate(world)
        yield world
        found = in_logs(sandbox.state, [sandbox.endpoints])
    assert not found, found[:5]


def populate(world: World) -> None:
    """An owner with connections and a sharer, a second PLS, and a Service that is refused."""
    web = world.make("prod", "web", pls_visibility="*")
    world.make("prod", "billing", port=8080, pls_ip_configuration_ip_address_count="2")
    world.make("prod", "search", port=9000, pls_ip_configuration_ip_address_count="many")
    world.ready(web)
    sharer = {
        "load-balancer-internal": "true",
        "load-balancer-ipv4": world.address("prod", "web"),
        "pls-create": "true",
    }
    world.apply_service("prod", "web-admin", sharer, port=8443)
    world.connect(web, "pe-orders")
    world.connect(web, "pe-reports")
    world.finding("prod", "InvalidSettings", "search")
    world.wait(
        "the sharer is known", lambda: shares(world, "default/web-admin"), lambda: world.status("prod")
    )
    world.quiet_plan("prod")
    world.run_now("prod")
    world.run_now("dev")


def shares(world: World, service: str) -> bool:
    """Whether a Service shares a Private Link Service."""
    return any(service in link["sharers"] for link in world.status("prod")["privateLinkServices"])


@dataclass
class Visit:
    """A page, and what happened on it."""

    page: Page
    world: World
    requests: list[Request] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    allowed: str = ""

    @property
    def key(self) -> str:
        """The key of the functions' host."""
        return str(self.world.sandbox.endpoints["functions"]["keys"]["functionKeys"]["default"])

    def open(self, fragment: str = "") -> Page:
        """The page as it comes, without a key."""
        self.page.goto(f"{self.world.sandbox.endpoints['functions']['url']}/api/dashboard{fragment}")
        return self.page

    def enter(self, fragment: str = "", key: str = "") -> Page:
        """The page with its data."""
        self.open(fragment)
        self.page.get_by_label("Function key").fill(key or self.key)
        self.page.get_by_role("button", name="Show the clusters").click()
        expect(self.page.locator("#detail h2")).to_be_visible()
        return self.page

    def reload(self) -> Page:
        """With the key that the tab keeps."""
        self.page.reload()
        expect(self.page.locator("#detail h2")).to_be_visible()
        return self.page

    def watch(self) -> None:
        """Note requests, and whatever a good page does not do."""

        def asked(request: Request) -> None:
            self.requests.append(request)

        def amiss(what: str) -> None:
            self.troubles.append(what)

        def stop(dialog: Dialog) -> None:
            amiss("dialog")
            dialog.dismiss()

        self.page.on("request", asked)
        self.page.on("pageerror", lambda error: amiss(f"error: {error}"))
        self.page.on("console", lambda message: amiss(f"console: {message.text}"))
        self.page.on("dialog", stop)

    def check(self) -> None:
        """Nothing amiss happened, nothing was asked of anybody else, and no address held a key."""
        host = urlsplit(str(self.world.sandbox.endpoints["functions"]["url"])).netloc
        addresses = [request.url for request in self.requests]
        assert {urlsplit(address).netloc for address in addresses} <= {host}
        assert not [address for address in addresses if self.key in address or "code=" in address]
        told = [line for line in self.troubles if not (self.allowed and re.search(self.allowed, line))]
        assert told == []


@contextmanager
def visiting(browser: Browser, world: World, **options: Any) -> Iterator[Visit]:
    """A fresh tab with these options of a context; what happened on it is checked at the end."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(SECONDS)
    visit = Visit(context.new_page(), world)
    visit.watch()
    try:
        yield visit
        visit.check()
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Visit]:
    """A fresh tab."""
    with visiting(browser, world) as made:
        yield made


IMAGES = Path(__file__).parents[2] / "docs" / "images"
