"""Every refusal the simulated ARM gives: one table, each row with where its code and text are known from.

Evidence: REC recorded traffic, SDK read in source, DOC Microsoft's documents, 3P a third party's
report of a real message, INF inferred, UNV unconfirmed. INF and UNV are guesses: such answers
carry `x-sim-fidelity: guess`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Evidence = Literal["REC", "SDK", "DOC", "3P", "INF", "UNV"]

FIDELITY_HEADER = "x-sim-fidelity"


class ArmError(Exception):
    """An answer that is a refusal."""

    def __init__(
        self,
        situation: Situation,
        message: str,
        details: list[Json] | None,
        headers: Mapping[str, str],
    ):
        super().__init__(f"{situation.code}: {message}")
        self.situation = situation
        self.status = situation.status
        self.code = situation.code
        self.message = message
        self.details = details
        self.headers = dict(headers)

    def body(self) -> Json:
        """`{"error": {"code", "message", "details"?}}`; the gateway's own errors have no details."""
        error: Json = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}


@dataclass(frozen=True)
class Situation:
    """What went wrong, and how ARM says so. `message` is a format string."""

    name: str
    status: int
    code: str
    message: str
    evidence: Evidence
    gateway: bool = field(default=False, kw_only=True)

    @property
    def guess(self) -> bool:
        """Whether nobody has shown us ARM giving this answer."""
        return self.evidence in ("INF", "UNV")

    def error(
        self,
        *,
        details: list[Json] | None = None,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> ArmError:
        """The refusal, to be raised."""
        extra = dict(headers or {})
        if self.guess:
            extra[FIDELITY_HEADER] = "guess"
        if self.gateway:
            extra["x-ms-failure-cause"] = "gateway"
        shown = None if self.gateway else (details or [])
        return ArmError(self, self.message.format(**values), shown, extra)


SITUATIONS: list[Situation] = []


def _row(
    name: str, status: int, code: str, message: str, evidence: Evidence, *, gateway: bool = False
) -> Situation:
    row = Situation(name, status, code, message, evidence, gateway=gateway)
    SITUATIONS.append(row)
    return row


# -- the gateway's: before the resource provider sees the request
NO_TOKEN = _row(
    "no bearer token",
    401,
    "AuthenticationFailed",
    "Authentication failed. The 'Authorization' header is missing.",
    "UNV",
    gateway=True,
)
BAD_TOKEN = _row(
    "a token that is expired, malformed or for another audience",
    401,
    "InvalidAuthenticationToken",
    "The access token is invalid.",
    "UNV",
    gateway=True,
)
NO_API_VERSION = _row(
    "no api-version",
    400,
    "MissingApiVersionParameter",
    "The api-version query parameter (?api-version=) is required for all requests.",
    "UNV",
    gateway=True,
)
BAD_BODY = _row(
    "a body that is not a JSON object",
    400,
    "InvalidRequestContent",
    "The request content was invalid and could not be deserialized: '{reason}'.",
    "UNV",
    gateway=True,
)
NO_SUBSCRIPTION = _row(
    "unknown subscription",
    404,
    "SubscriptionNotFound",
    "The subscription '{subscription}' could not be found.",
    "UNV",
    gateway=True,
)
NO_GROUP = _row(
    "unknown resource group",
    404,
    "ResourceGroupNotFound",
    "Resource group '{group}' could not be found.",
    "REC",
    gateway=True,
)
NO_RESOURCE = _row(
    "unknown top-level resource",
    404,
    "ResourceNotFound",
    "The Resource '{type}/{name}' under resource group '{group}' was not found. For more "
    "details please go to https://aka.ms/ARMResourceNotFoundFix",
    "REC",
    gateway=True,
)
NO_PARENT = _row(
    "a child written below a missing parent",
    404,
    "ParentResourceNotFound",
    "Failed to perform '{action}' on resource(s) of type '{type}', because the parent "
    "resource '{parent}' could not be found.",
    "REC",
    gateway=True,
)
NO_TYPE = _row(
    "a resource type that is not simulated",
    404,
    "InvalidResourceType",
    "The resource type '{type}' could not be found in the namespace '{namespace}' for api "
    "version '{version}'.",
    "UNV",
    gateway=True,
)
NO_VERB = _row(
    "a method that the resource does not know",
    405,
    "MethodNotAllowed",
    "The request method '{method}' is not supported on '{path}'.",
    "UNV",
    gateway=True,
)
NO_OPERATION = _row(
    "unknown operation",
    404,
    "NotFound",
    "Operation {operation} not found.",
    "UNV",
)
NO_LOCATION = _row(
    "no location in the body",
    400,
    "LocationRequired",
    "The location property is required for this definition.",
    "UNV",
    gateway=True,
)
OTHER_LOCATION = _row(
    "a PUT with another location",
    409,
    "InvalidResourceLocation",
    "The resource '{name}' already exists in location '{location}' in resource group "
    "'{group}'. A resource with the same name cannot be created in location '{other}'. Please"
    " select a new resource name.",
    "UNV",
    gateway=True,
)
BAD_TAGS = _row(
    "tags over 50, names over 512 or with <>%&\\?/, values over 256",
    400,
    "InvalidTagNameCharacters",
    "The tags on the resource are not valid: {reason}.",
    "UNV",
    gateway=True,
)
THROTTLED = _row(
    "token bucket empty",
    429,
    "SubscriptionRequestsThrottled",
    "Number of '{kind}' requests for subscription '{subscription}' actor '{actor}' exceeded. "
    "Please try again after '{seconds}' seconds.",
    "3P",
    gateway=True,
)

# -- the network provider's, on any resource
NO_CHILD = _row(
    "unknown child (subnet, frontend, connection)",
    404,
    "NotFound",
    "Resource {id} not found.",
    "REC",
)
ETAG_MISMATCH = _row(
    "If-Match does not match",
    412,
    "PreconditionFailed",
    "Precondition failed.",
    "REC",
)
BUSY = _row(
    "another operation runs on the resource",
    409,
    "AnotherOperationInProgress",
    "Another operation on this or dependent resource is in progress. To retrieve status of "
    "the operation use uri: {uri}.",
    "3P",
)
BAD_REFERENCE = _row(
    "a referenced resource does not exist",
    400,
    "InvalidResourceReference",
    "Resource {missing} referenced by resource {resource} was not found. Please make sure "
    "that the referenced resource exists, and that both resources are in the same region.",
    "3P",
)
WRONG_TYPE = _row(
    "an id of the wrong type",
    400,
    "InvalidReferenceType",
    "Reference Id {id} is referencing resource of a wrong type. The Id is expected to "
    "reference resources of type {expected}. Path {path}.",
    "INF",
)
NOT_PROVISIONED = _row(
    "a referenced resource is Updating or Failed",
    400,
    "ReferencedResourceNotProvisioned",
    "Cannot proceed with operation because resource {used} used by resource {by} is not in "
    "Succeeded state. Resource is in {state} state and the last operation that updated/is "
    "updating the resource is {operation}.",
    "3P",
)
BAD_NAME = _row(
    "a resource name outside the allowed characters",
    400,
    "InvalidResourceName",
    "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin"
    " with a word character, and it must end with a word character or with '_'. The name may "
    "contain word characters or '.', '-', '_'.",
    "UNV",
)
BAD_VALUE = _row(
    "a property of the wrong shape",
    400,
    "InvalidRequestFormat",
    "Cannot parse the request: {reason}.",
    "UNV",
)

# -- addresses
IP_NOT_IN_SUBNET = _row(
    "static address outside the subnet",
    400,
    "PrivateIPAddressNotInSubnet",
    "Private static IP address {address} does not belong to the range of subnet prefix {prefix}.",
    "3P",
)
IP_RESERVED = _row(
    "static address among the first four or the last",
    400,
    "PrivateIPAddressInReservedRange",
    "Private static IP address {address} falls within reserved IP range of subnet prefix {prefix}.",
    "3P",
)
IP_TAKEN = _row(
    "static address held by another resource",
    400,
    "PrivateIPAddressIsAllocated",
    "IP configuration {configuration} is using the private IP address {address} which is "
    "already allocated to resource {holder}.",
    "DOC",
)
IP_IN_USE = _row(
    "static address that the PLS's own NIC already holds dynamically",
    400,
    "PrivateIPAddressInUse",
    "Private static IP address {address} is already in use by {holder}.",
    "INF",
)
SUBNET_FULL = _row(
    "no free address left in the subnet",
    400,
    "SubnetIsFull",
    "Subnet {subnet} with address prefix {prefix} does not have enough capacity for 1 IP addresses.",
    "UNV",
)

# -- private link services
POLICIES_ENABLED = _row(
    "PLS in a subnet whose privateLinkServiceNetworkPolicies are Enabled",
    400,
    "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled",
    "Private link service {pls} cannot be created in a subnet {subnet} since it has private "
    "link service network policies enabled.",
    "3P",
)
POLICIES_IN_USE = _row(
    "policies switched on while a PLS is in the subnet",
    400,
    "PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet",
    "Private link service network policies cannot be enabled on private link service subnet {subnet}.",
    "INF",
)
PLS_HAS_CONNECTIONS = _row(
    "delete of a PLS with connections",
    400,
    "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted",
    "Private link service {pls} cannot be deleted since it has {count} private endpoint "
    "connection{plural}. Please delete all private endpoint connections before deleting the "
    "private link service.",
    "DOC",
)
FRONTEND_HAS_PLS = _row(
    "second PLS on a frontend",
    400,
    "SimFrontendIPConfigurationAlreadyHasPrivateLinkService",
    "Frontend IP configuration {frontend} is already referenced by private link service {other}.",
    "UNV",
)
FRONTEND_COUNT = _row(
    "a PLS without a frontend, or with more than one",
    400,
    "SimPrivateLinkServiceFrontendIPConfigurationCount",
    "Private link service {pls} must reference exactly one load balancer frontend IP "
    "configuration, not {count}.",
    "UNV",
)
FRONTEND_NAT_RULES = _row(
    "frontend with inbound NAT rules",
    400,
    "SimPrivateLinkServiceFrontendWithInboundNatRules",
    "Frontend IP configuration {frontend} has inbound NAT rules and cannot be used by a "
    "private link service.",
    "UNV",
)
FRONTEND_IPV6 = _row(
    "IPv6 frontend or NAT configuration",
    400,
    "SimPrivateLinkServiceIPv6NotSupported",
    "Private link service {pls} does not support IPv6 ({where}).",
    "UNV",
)
BASIC_LB = _row(
    "Basic load balancer",
    400,
    "SimPrivateLinkServiceRequiresStandardLoadBalancer",
    "Private link service {pls} requires a load balancer of the Standard SKU; {lb} is {sku}.",
    "UNV",
)
PLS_PER_LB = _row(
    "more than 8 PLSs on a load balancer",
    400,
    "SimTooManyPrivateLinkServicesOnLoadBalancer",
    "Load balancer {lb} cannot have more than {limit} private link services.",
    "UNV",
)
IP_CONFIG_COUNT = _row(
    "no NAT configuration, or more than 8",
    400,
    "SimPrivateLinkServiceIpConfigurationCount",
    "Private link service {pls} must have between {low} and 8 IP configurations, not {count}.",
    "UNV",
)
IP_CONFIG_SHAPE = _row(
    "NAT configurations with the same name or several primaries",
    400,
    "SimPrivateLinkServiceIpConfiguration",
    "IP configurations of private link service {pls} are not valid: {reason}.",
    "UNV",
)
BAD_SUBSCRIPTION = _row(
    "a subscription in visibility or autoApproval that is no GUID",
    400,
    "SimPrivateLinkServiceInvalidSubscription",
    "Subscription '{value}' in {where} of private link service {pls} is not valid.",
    "UNV",
)
SUBSCRIPTION_COUNT = _row(
    "more than 100 subscriptions in visibility or autoApproval",
    400,
    "SimPrivateLinkServiceTooManySubscriptions",
    "{where} of private link service {pls} has {count} subscriptions; the limit is 100.",
    "UNV",
)
AUTO_APPROVAL = _row(
    "autoApproval outside visibility (option strict_auto_approval)",
    400,
    "SimAutoApprovalNotSubsetOfVisibility",
    "Auto-approval of private link service {pls} must be a subset of its visibility.",
    "UNV",
)
CONNECTION_STATE = _row(
    "a connection set to a state that a provider cannot set",
    400,
    "SimInvalidPrivateEndpointConnectionState",
    "Status '{status}' is not valid for private endpoint connection {connection}.",
    "UNV",
)
NOT_VISIBLE = _row(
    "a private endpoint that asks for a PLS it cannot see",
    400,
    "SimPrivateLinkServiceNotVisible",
    "Private link service {pls} is not visible to subscription {subscription}.",
    "UNV",
)
BAD_ALIAS = _row(
    "an alias that no PLS has",
    400,
    "SimPrivateLinkServiceAliasNotFound",
    "Private link service with alias {alias} was not found.",
    "UNV",
)
REQUEST_MESSAGE = _row(
    "a request message over 140 characters",
    400,
    "SimRequestMessageTooLong",
    "The request message of {connection} has {count} characters; the limit is 140.",
    "UNV",
)
PE_CONNECTION_COUNT = _row(
    "a private endpoint without exactly one connection",
    400,
    "SimPrivateEndpointConnectionCount",
    "Private endpoint {pe} must have exactly one private link service connection.",
    "UNV",
)

# -- what others hold cannot go
LB_HAS_PLS = _row(
    "delete of a load balancer that a PLS references",
    400,
    "CannotDeleteLoadBalancerWithPrivateLinkService",
    "Cannot delete load balancer {lb} since it is referenced by private link service {pls}. "
    "Please delete private link service prior to deleting load balancer.",
    "DOC",
)
FRONTEND_IN_USE = _row(
    "removal of a frontend that a PLS references",
    400,
    "InUseFrontendIpConfigurationCannotBeDeleted",
    "Frontend IP configuration {frontend} is in use by private link service {pls} and cannot be deleted.",
    "UNV",
)
SUBNET_IN_USE = _row(
    "delete of a subnet that is in use",
    400,
    "InUseSubnetCannotBeDeleted",
    "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet,"
    " delete all the resources within the subnet. See aka.ms/deletesubnet.",
    "3P",
)
PREFIX_IN_USE = _row(
    "another prefix for a subnet that is in use",
    400,
    "InUsePrefixCannotBeDeleted",
    "IpPrefix {prefix} on Subnet {name} has active allocations and cannot be deleted.",
    "UNV",
)
PUBLIC_IP_IN_USE = _row(
    "delete of a public IP that a frontend uses",
    400,
    "PublicIPAddressCannotBeDeleted",
    "Public IP address {id} can not be deleted since it is still allocated to resource {user}.",
    "UNV",
)
PUBLIC_IP_TAKEN = _row(
    "a public IP on a second frontend",
    400,
    "PublicIPAddressInUse",
    "Resource {user} is referencing public IP address {id} that is already allocated to resource {other}.",
    "UNV",
)
NIC_MANAGED = _row(
    "write or delete of a NIC that a PLS or private endpoint owns",
    400,
    "SimNetworkInterfaceIsManaged",
    "Network interface {id} is managed by {owner} and cannot be changed or deleted.",
    "UNV",
)
SUBNET_RANGE = _row(
    "a subnet outside its virtual network",
    400,
    "NetcfgSubnetRangeOutsideVnet",
    "Subnet '{name}' is not valid because its IP address range is outside the IP address "
    "range of virtual network '{vnet}'.",
    "UNV",
)
SUBNET_OVERLAP = _row(
    "subnets that overlap",
    400,
    "NetcfgSubnetRangesOverlap",
    "Subnet '{name}' is not valid because its IP address range overlaps with that of an "
    "existing subnet in virtual network '{vnet}'.",
    "UNV",
)

GUESSED_ANSWERS = {
    "networkInterfaces of a PLS or private endpoint": "the JSON around name, ipConfigurations",
    "operationResults": "202 while running, then 204 after a DELETE, 200 and the resource after a PUT",
    "checkPrivateLinkServiceVisibility": "visible: `*`, a listed subscription, or the PLS's own subscription",
    "autoApprovedPrivateLinkServices": "the PLSs whose autoApproval lists the caller's subscription or `*`",
    "managed identity, wrong header": "401 without X-IDENTITY-HEADER, 403 with a wrong one",
    "private endpoint connection DELETE": "202, then gone; the private endpoint becomes Disconnected",
    "tags/default": "which of the three operations answers what",
}
"""Answers that are no refusals and yet guesses: what is asked, and what about the answer is guessed."""
