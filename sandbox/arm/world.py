"""One simulated Azure: what exists, what runs, how it behaves; and the shapes of a call and its reply."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.arm.control_planes import ControlPlanes
from sandbox.arm.errors import FIDELITY_HEADER, provider
from sandbox.arm.fidelity import Guess
from sandbox.arm.ids import ResourceId, top_level
from sandbox.arm.operations import Ending, Operation, Operations, Status
from sandbox.arm.options import ArmOptions
from sandbox.arm.state import Json, Store


@dataclass(frozen=True)
class Caller:
    """Who calls: the application and object id in the token."""

    app_id: str
    object_id: str


@dataclass(frozen=True)
class Call:
    """One authenticated request. `ending` is how an operation it starts will end (the back door's doing)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json
    caller: Caller
    base_url: str
    ending: Ending = field(default_factory=Ending)

    @property
    def api_version(self) -> str:
        """The api-version asked for."""
        return self.query.get("api-version", "")


@dataclass(frozen=True)
class Reply:
    """One answer; `guess` marks what nobody has shown us ARM giving."""

    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    guess: Guess | None = None

    def all_headers(self) -> dict[str, str]:
        """The headers with the mark of a guess."""
        mark = {FIDELITY_HEADER: "guess"} if self.guess else {}
        return {**self.headers, **mark}


@dataclass(frozen=True)
class Change:
    """A write or delete that came to its end: what Event Grid tells."""

    resource_id: str
    action: str
    method: str
    status: Status
    caller: Caller
    url: str
    existed: bool


@dataclass
class World:
    """The simulated Azure. `aliases`: other names (lower-cased ids) of resources, and their real ids.

    `permissions`: what the caller may do at scopes (lower-cased ids) where that is not everything.
    """

    options: ArmOptions
    publish: Callable[[Change], None]
    store: Store = field(default_factory=Store)
    operations: Operations = field(default_factory=Operations)
    planes: ControlPlanes = field(default_factory=ControlPlanes)
    aliases: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, Json] = field(default_factory=dict)
    public_ips: int = 0
    link_identifiers: int = 184_561_669

    def etag(self) -> str:
        """A new etag."""
        return f'W/"{uuid.uuid4()}"'

    def guid(self) -> str:
        """A new GUID."""
        return str(uuid.uuid4())

    def next_link_identifier(self) -> str:
        """The number that PROXY protocol headers carry for a connection."""
        self.link_identifiers += 1
        return str(self.link_identifiers)

    def next_public_ip(self, version: str) -> str:
        """A public address that nobody has."""
        self.public_ips += 1
        if version == "IPv6":
            return f"2603:1030::{self.public_ips:x}"
        high, low = divmod(self.public_ips, 250)
        return f"20.51.{high}.{low + 1}"

    def bump(self, resource_id: str) -> None:
        """Change the etag of a resource (or child, and then of its parent) whose dependents changed."""
        fresh = self.etag()
        for found in (self.store.find(resource_id), self.store.find(top_level(resource_id))):
            if found is not None:
                found["etag"] = fresh

    def begin(self, call: Call, target: ResourceId, *, share: float, finish: Callable[[], None]) -> Operation:
        """Start an operation that takes `share` of the provisioning time."""
        location = self.options.location
        return self.operations.start(
            call.method,
            str(target),
            location,
            lambda operation: operation_url(call, target, location, operation),
            call.ending,
            seconds=self.options.provisioning_seconds * share,
            finish=finish,
        )

    def own_path(self, path: str) -> str:
        """A path with the real name of a resource that has another one as well."""
        for alias, real in self.aliases.items():
            if f"{path.lower()}/".startswith(f"{alias}/"):
                return real + path[len(alias) :]
        return path

    def refuse_while_busy(self, resource_id: str, *, below: bool = False) -> None:
        """409 while another operation runs on the resource (`below`: or on one of its children)."""
        find = self.operations.running_below if below else self.operations.running
        if operation := find(resource_id):
            raise provider.BUSY.error(uri=operation.uri)


def operation_url(call: Call, target: ResourceId, location: str, operation: str) -> str:
    """The absolute URL of an operation; signed as ARM signs them today."""
    signature = "&".join(f"{key}={secrets.token_urlsafe(12)}" for key in "tcsh")
    return (
        f"{call.base_url}/subscriptions/{target.subscription}/providers/{target.namespace}"
        f"/locations/{location}/operations/{operation}?api-version={call.api_version}&{signature}"
    )


def operation_headers(world: World, call: Call, operation: Operation) -> dict[str, str]:
    """What a reply about a started operation carries."""
    headers = {"Azure-AsyncOperation": operation.uri}
    if world.options.retry_after:
        headers["Retry-After"] = str(world.options.retry_after)
    if call.method in ("DELETE", "POST"):
        headers["Location"] = operation.uri.replace("/operations/", "/operationResults/", 1)
    return headers
