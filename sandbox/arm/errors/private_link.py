"""What the network provider refuses about private link services and private endpoints."""

from sandbox.arm.errors.situation import Situation

POLICIES_ENABLED = Situation(
    "PLS in a subnet whose privateLinkServiceNetworkPolicies are Enabled",
    400,
    "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled",
    "Private link service {pls} cannot be created in a subnet {subnet} since it has private "
    "link service network policies enabled.",
    "3P",
)
POLICIES_IN_USE = Situation(
    "policies switched on while a PLS is in the subnet",
    400,
    "PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet",
    "Private link service network policies cannot be enabled on private link service subnet {subnet}.",
    "INF",
)
PLS_HAS_CONNECTIONS = Situation(
    "delete of a PLS with connections",
    400,
    "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted",
    "Private link service {pls} cannot be deleted since it has {count} private endpoint "
    "connection{plural}. Please delete all private endpoint connections before deleting the "
    "private link service.",
    "DOC",
)
FRONTEND_HAS_PLS = Situation(
    "second PLS on a frontend",
    400,
    "SimFrontendIPConfigurationAlreadyHasPrivateLinkService",
    "Frontend IP configuration {frontend} is already referenced by private link service {other}.",
    "UNV",
)
NETWORK_BUSY = Situation(
    "more PLS writes at once in a virtual network than pls_writes_per_network or contention allows",
    429,
    "RetryableErrorDueToAnotherOperation",
    "Operation on {pls} cannot proceed because another operation on virtual network {network} is in progress.",
    "INF",
)
FRONTEND_COUNT = Situation(
    "a PLS without a frontend, or with more than one",
    400,
    "SimPrivateLinkServiceFrontendIPConfigurationCount",
    "Private link service {pls} must reference exactly one load balancer frontend IP "
    "configuration, not {count}.",
    "UNV",
)
FRONTEND_NAT_RULES = Situation(
    "frontend with inbound NAT rules",
    400,
    "SimPrivateLinkServiceFrontendWithInboundNatRules",
    "Frontend IP configuration {frontend} has inbound NAT rules and cannot be used by a "
    "private link service.",
    "UNV",
)
FRONTEND_IPV6 = Situation(
    "IPv6 frontend or NAT configuration",
    400,
    "SimPrivateLinkServiceIPv6NotSupported",
    "Private link service {pls} does not support IPv6 ({where}).",
    "UNV",
)
BASIC_LB = Situation(
    "Basic load balancer",
    400,
    "SimPrivateLinkServiceRequiresStandardLoadBalancer",
    "Private link service {pls} requires a load balancer of the Standard SKU; {lb} is {sku}.",
    "UNV",
)
PLS_PER_LB = Situation(
    "more than 8 PLSs on a load balancer",
    400,
    "SimTooManyPrivateLinkServicesOnLoadBalancer",
    "Load balancer {lb} cannot have more than {limit} private link services.",
    "UNV",
)
IP_CONFIG_COUNT = Situation(
    "no NAT configuration, or more than 8",
    400,
    "SimPrivateLinkServiceIpConfigurationCount",
    "Private link service {pls} must have between {low} and 8 IP configurations, not {count}.",
    "UNV",
)
IP_CONFIG_SHAPE = Situation(
    "NAT configurations with the same name or several primaries",
    400,
    "SimPrivateLinkServiceIpConfiguration",
    "IP configurations of private link service {pls} are not valid: {reason}.",
    "UNV",
)
BAD_SUBSCRIPTION = Situation(
    "a subscription in visibility or autoApproval that is no GUID",
    400,
    "SimPrivateLinkServiceInvalidSubscription",
    "Subscription '{value}' in {where} of private link service {pls} is not valid.",
    "UNV",
)
SUBSCRIPTION_COUNT = Situation(
    "more than 100 subscriptions in visibility or autoApproval",
    400,
    "SimPrivateLinkServiceTooManySubscriptions",
    "{where} of private link service {pls} has {count} subscriptions; the limit is 100.",
    "UNV",
)
AUTO_APPROVAL = Situation(
    "autoApproval outside visibility (option strict_auto_approval)",
    400,
    "SimAutoApprovalNotSubsetOfVisibility",
    "Auto-approval of private link service {pls} must be a subset of its visibility.",
    "UNV",
)
CONNECTION_STATE = Situation(
    "a connection set to a state that a provider cannot set",
    400,
    "SimInvalidPrivateEndpointConnectionState",
    "Status '{status}' is not valid for private endpoint connection {connection}.",
    "UNV",
)
NOT_VISIBLE = Situation(
    "a private endpoint that asks for a PLS it cannot see",
    400,
    "SimPrivateLinkServiceNotVisible",
    "Private link service {pls} is not visible to subscription {subscription}.",
    "UNV",
)
BAD_ALIAS = Situation(
    "an alias that no PLS has",
    400,
    "SimPrivateLinkServiceAliasNotFound",
    "Private link service with alias {alias} was not found.",
    "UNV",
)
REQUEST_MESSAGE = Situation(
    "a request message over 140 characters",
    400,
    "SimRequestMessageTooLong",
    "The request message of {connection} has {count} characters; the limit is 140.",
    "UNV",
)
PE_CONNECTION_COUNT = Situation(
    "a private endpoint without exactly one connection",
    400,
    "SimPrivateEndpointConnectionCount",
    "Private endpoint {pe} must have exactly one private link service connection.",
    "UNV",
)
LB_HAS_PLS = Situation(
    "delete of a load balancer that a PLS references",
    400,
    "CannotDeleteLoadBalancerWithPrivateLinkService",
    "Cannot delete load balancer {lb} since it is referenced by private link service {pls}. "
    "Please delete private link service prior to deleting load balancer.",
    "DOC",
)
FRONTEND_IN_USE = Situation(
    "removal of a frontend that a PLS references",
    400,
    "InUseFrontendIpConfigurationCannotBeDeleted",
    "Frontend IP configuration {frontend} is in use by private link service {pls} and cannot be deleted.",
    "UNV",
)
