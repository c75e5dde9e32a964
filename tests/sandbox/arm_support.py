"""A simulated ARM in a thread of its own, and a plain HTTP client that shows every header."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import requests

from sandbox.arm import ArmOptions, RunningArm, start_arm
from sandbox.tls import Authority

Json = dict[str, Any]
T = TypeVar("T")

OPTIONS = ArmOptions(provisioning_seconds=0.2)
SUBSCRIPTION = OPTIONS.subscription
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_prod"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
VNET = f"{NETWORK}/virtualNetworks/aks-vnet"
PLS_SUBNET = f"{VNET}/subnets/pls-subnet"
NODE_SUBNET = f"{VNET}/subnets/default"
BALANCER = f"{NETWORK}/loadBalancers/kubernetes-internal"
CONSUMER_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/myOtherResourceGroup"
CONSUMER = f"{CONSUMER_GROUP}/providers/Microsoft.Network"
CONSUMER_SUBNET = f"{CONSUMER}/virtualNetworks/myOtherVNET/subnets/pe-subnet"


@dataclass
class Arm:
    """A running ARM and a session that is logged in to it."""

    running: RunningArm
    ca: str
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.running.url

    def login(self) -> None:
        """Send a managed identity's token from now on."""
        self.session.trust_env = False
        self.session.verify = self.ca
        answer = self.session.get(
            self.running.identity_endpoint,
            params={"resource": self.url, "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": self.running.identity_header},
        )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def slow(self, seconds: float = 2) -> None:
        """Operations take so long from now on: for what is looked at while one runs, on a busy machine too."""
        world = self.running.world
        world.options = replace(world.options, provisioning_seconds=seconds)

    def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> requests.Response:
        """One request; header names with `_` for `-`. `path` may be absolute."""
        url = path if path.startswith("https:") else f"{self.url}{path}"
        version = {} if "api-version" in url else {"api-version": "2026-03-01"}
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.session.request(method, url, params=version, json=body, headers=named, timeout=10)

    def get(self, path: str) -> Json:
        """The body of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def done(self, answer: requests.Response) -> Json:
        """The final body of an operation, once it ended."""
        assert answer.status_code in (200, 201, 202), answer.text
        uri = answer.headers["Azure-AsyncOperation"]
        return until(lambda: self.get(uri), lambda body: body["status"] != "InProgress")

    def put(self, path: str, body: Json) -> Json:
        """Write, wait for the end, and read."""
        ended = self.done(self.call("PUT", path, body))
        assert ended["status"] == "Succeeded", ended
        return self.get(path)

    def delete(self, path: str) -> None:
        """Delete and wait for the end."""
        assert self.done(self.call("DELETE", path))["status"] == "Succeeded"

    def refusal(self, method: str, path: str, body: Json | None = None, **headers: str) -> tuple[int, Json]:
        """Status and `error` of a call that must be refused."""
        answer = self.call(method, path, body, **headers)
        assert answer.status_code >= 400, answer.text
        error: Json = answer.json()["error"]
        return answer.status_code, error

    def open_subnet(self, subnet: str = PLS_SUBNET) -> None:
        """Switch a subnet's private link service network policies off."""
        body = self.get(subnet)
        body["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
        self.put(subnet, body)

    def frontends(self, *names: str, balancer: str = BALANCER) -> list[str]:
        """Write a Standard load balancer with exactly these internal frontends; their ids."""
        self.put(balancer, load_balancer(*names))
        return [f"{balancer}/frontendIPConfigurations/{name}" for name in names]

    def service(self, name: str = "pls1", frontend: str = "a1") -> str:
        """A PLS on a frontend of its own, with everything it needs; its id."""
        self.open_subnet()
        [frontend_id] = self.frontends(frontend)
        pls = f"{NETWORK}/privateLinkServices/{name}"
        self.put(pls, private_link_service(frontend_id))
        return pls


def load_balancer(*frontends: str, subnet: str = NODE_SUBNET) -> Json:
    """The body of an internal Standard load balancer."""
    items = [{"name": name, "properties": {"subnet": {"id": subnet}}} for name in frontends]
    properties = {"frontendIPConfigurations": items}
    return {"location": "eastus", "sku": {"name": "Standard"}, "properties": properties}


def private_link_service(*frontends: str, **properties: Any) -> Json:
    """The body of a PLS with one dynamic NAT configuration; `properties` are laid over."""
    usual: Json = {
        "loadBalancerFrontendIpConfigurations": [{"id": item} for item in frontends],
        "ipConfigurations": [nat("nat0")],
    }
    return {"location": "eastus", "properties": usual | properties}


def nat(name: str, static: str | None = None, subnet: str = PLS_SUBNET) -> Json:
    """One NAT configuration."""
    properties: Json = {"subnet": {"id": subnet}}
    if static is not None:
        properties |= {"privateIPAllocationMethod": "Static", "privateIPAddress": static}
    return {"name": name, "properties": properties}


def private_endpoint(pls: str, *, manual: bool = False, message: str = "", subnet: str = "") -> Json:
    """The body of a private endpoint; `pls` is an id or an alias."""
    side = "manualPrivateLinkServiceConnections" if manual else "privateLinkServiceConnections"
    asked: Json = {"privateLinkServiceId": pls} | ({"requestMessage": message} if message else {})
    properties = {
        "subnet": {"id": subnet or CONSUMER_SUBNET},
        side: [{"name": "connection", "properties": asked}],
    }
    return {"location": "eastus", "properties": properties}


def until(look: Callable[[], T], good: Callable[[T], bool], seconds: float = 10) -> T:
    """What `look` gives once it is good; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.02)
    return found


@contextmanager
def running_arm(options: ArmOptions = OPTIONS) -> Iterator[Arm]:
    """A simulated ARM in a thread; stopped at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority.create(Path(directory))
        running = asyncio.run_coroutine_threadsafe(start_arm(options, authority), loop).result(10)
        arm = Arm(running, str(authority.ca_path))
        try:
            arm.login()
            yield arm
        finally:
            arm.session.close()
            asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()
