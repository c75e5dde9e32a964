"""A life of Private Link Services in acts: each begins and ends with nothing left to do.

A worker that dies in one act has recovered by its end, or the act fails; so one life holds a crash per act.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from sandbox.demo_world import OWNER_TAG
from tests.chaos.world import CLUSTER, WORK, World

Json = dict[str, Any]

_NUMBERS = itertools.count()
SUBNET = "pls-subnet"
TABLES = ("ownership", "sharing", "history", "leases", "clusters")


@dataclass
class Life:
    """The names of one life. ``words`` says what each name and UID stands for."""

    world: World
    token: str = field(default_factory=lambda: f"x{next(_NUMBERS):04d}x")
    words: dict[str, str] = field(default_factory=dict)
    heard_before: int = 0

    def __post_init__(self) -> None:
        self.words[self.token] = "*"
        self.world.words = self.words
        self.world.users.expect(self.world.sandbox.topic_backdoor("DELETE", "published"), 204)

    def name(self, service: str) -> str:
        """The Service's name in this life."""
        return f"{service}-{self.token}"

    def pls(self, service: str) -> str:
        """The id of the PLS that a Service was made with."""
        users = self.world.users
        return users.pls_id(users.groups[CLUSTER], f"pls-{self.name(service)}")

    def make(self, service: str, port: int = 80, /, **settings: str) -> None:
        """Create a Service, asking for a PLS of that name."""
        self.world.users.make(CLUSTER, self.name(service), port, **settings)
        self.placed(service)

    def placed(self, service: str) -> str:
        """Wait for the Service's address; remember what its UID stands for."""
        users, name = self.world.users, self.name(service)
        address = users.address(CLUSTER, name)
        found = users.service(CLUSTER, name)
        assert found
        uid = found["metadata"]["uid"]
        # Frontends are called after the UID without its dashes, cut to 32 characters with the "a".
        self.words |= {
            uid: f"(uid of {service})",
            f"a{uid.replace('-', '')[:31]}": f"(frontend of {service})",
        }
        return address

    def ready(self, service: str) -> bool:
        """Whether the Service's PLS is there, and Succeeded."""
        found = self.world.users.pls(self.pls(service))
        return bool(found) and found is not None and found["properties"]["provisioningState"] == "Succeeded"

    def gone(self, *services: str) -> bool:
        """Whether these Services are no longer there."""
        return all(self.world.users.service(CLUSTER, self.name(service)) is None for service in services)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that people do, and what holds at the end of it (besides that nothing is left to do)."""

    name: str
    do: Callable[[Life], None]
    finished: Callable[[Life], bool]


def deploy(life: Life) -> None:
    """A fresh deployment: neither tables nor containers nor work queue, and the first full pass."""
    world = life.world
    policy = {"properties": {"privateLinkServiceNetworkPolicies": "Enabled"}}
    world.users.expect(world.sandbox.arm_backdoor("PATCH", "resources", policy, id=world.subnet(SUBNET)), 200)
    with world.users.tables() as tables:
        for table in TABLES:
            tables.delete_table(table)
    storage = world.sandbox.endpoints["storage"]["connectionString"]
    with BlobServiceClient.from_connection_string(storage) as blobs:
        for container in blobs.list_containers():
            blobs.delete_container(container)
    with QueueClient.from_connection_string(storage, WORK) as queue, suppress(ResourceNotFoundError):
        queue.delete_queue()
    world.tick("timer")


def create(life: Life) -> None:
    """Two Services that ask, in a subnet whose policy forbids Private Link Services."""
    shown = {"pls_visibility": "*", "pls_auto_approval": life.world.users.subscription}
    life.make("web", pls_ip_configuration_subnet=SUBNET, pls_fqdns="one.example", **shown)
    life.make("mover", 81, pls_ip_configuration_subnet=SUBNET, disable_load_balancer_floating_ip="true")


def update(life: Life) -> None:
    """An annotation changes, which no event tells, and somebody edits the PLS by hand."""

    def edit(pls: Json) -> None:
        pls["properties"]["fqdns"] = ["by.hand"]
        pls["tags"]["note"] = "kept"

    life.world.users.edit_by_hand(life.pls("web"), edit)
    life.world.users.ready(life.pls("web"))
    life.world.users.annotate(CLUSTER, life.name("web"), {"pls-fqdns": "two.example"})
    life.world.tick("probe")


def share(life: Life) -> None:
    """A second Service on the frontend."""
    address = life.placed("web")
    settings = {"load-balancer-internal": "true", "load-balancer-ipv4": address, "pls-create": "true"}
    life.world.users.apply_service(CLUSTER, life.name("peer"), settings, port=82)
    life.placed("peer")


def transfer(life: Life) -> None:
    """The sharer gets settings of its own, and the owner's tag is moved to it by hand."""
    settings = {"pls-name": f"pls-{life.name('web')}", "pls-ip-configuration-subnet": SUBNET}
    settings |= {"pls-fqdns": "three.example", "pls-visibility": "*"}
    life.world.users.annotate(CLUSTER, life.name("peer"), settings)
    life.world.users.tag_by_hand(life.pls("web"), {OWNER_TAG: f"default/{life.name('peer')}"})


def delete(life: Life) -> None:
    """Both Services are deleted while a private endpoint is connected."""
    life.world.users.connect(life.pls("web"), f"endpoint-{life.token}")
    life.world.users.wait("the endpoint is connected", lambda: _connections(life))
    for service in ("web", "peer"):
        life.world.users.delete_service(CLUSTER, life.name(service))


def _connections(life: Life) -> Any:
    found = life.world.users.pls(life.pls("web"))
    return found and found["properties"].get("privateEndpointConnections")


def move(life: Life) -> None:
    """The other Service's frontend is replaced: taken away, then made anew on the public load balancer."""
    before = life.placed("mover")
    take_frontend(life, "mover")
    life.world.users.annotate(CLUSTER, life.name("mover"), {"load-balancer-internal": "false"})
    life.world.users.wait("it has a public address", lambda: life.placed("mover") != before)


def collect(life: Life) -> None:
    """Its frontend is taken away by force, and the Service is still there: nobody is proven gone."""
    take_frontend(life, "mover")
    life.world.tick("timer")


def take_frontend(life: Life, service: str) -> None:
    """Take away the frontend that a PLS is on, which ARM would refuse."""
    frontend = life.world.users.frontend_of(life.pls(service))
    reply = life.world.sandbox.arm_backdoor("POST", "remove-frontend", {"id": frontend})
    life.world.users.expect(reply, 204)


def leave(life: Life) -> None:
    """The last Service goes."""
    life.world.users.delete_service(CLUSTER, life.name("mover"))


def _moved(life: Life) -> bool:
    return life.ready("mover") and "/kubernetes/" in life.world.users.frontend_of(life.pls("mover"))


ACTS = (
    Act("deploy", deploy, lambda life: True),
    Act("create", create, lambda life: life.ready("web") and life.ready("mover")),
    Act("update", update, lambda life: life.ready("web")),
    Act("move", move, _moved),
    Act("share", share, lambda life: life.ready("web")),
    Act("transfer", transfer, lambda life: life.ready("web")),
    Act("delete", delete, lambda life: life.gone("web", "peer")),
    Act("collect", collect, lambda life: life.world.users.pls(life.pls("mover")) is None),
    Act("leave", leave, lambda life: life.gone("mover")),
)
