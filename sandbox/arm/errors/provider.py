"""What the network provider refuses on any resource: references, addresses, things in use."""

from sandbox.arm.errors.situation import Situation

NO_OPERATION = Situation(
    "unknown operation",
    404,
    "NotFound",
    "Operation {operation} not found.",
    "UNV",
)
NO_CHILD = Situation(
    "unknown child (subnet, frontend, connection)",
    404,
    "NotFound",
    "Resource {id} not found.",
    "REC",
)
CRASH = Situation(
    "a body of a shape that the simulator did not expect (its trace goes to stderr)",
    500,
    "InternalServerError",
    "The simulator failed: {reason}.",
    "UNV",
)
ETAG_MISMATCH = Situation(
    "If-Match does not match",
    412,
    "PreconditionFailed",
    "Precondition failed.",
    "REC",
)
BUSY = Situation(
    "another operation runs on the resource",
    409,
    "AnotherOperationInProgress",
    "Another operation on this or dependent resource is in progress. To retrieve status of "
    "the operation use uri: {uri}.",
    "3P",
)
BAD_REFERENCE = Situation(
    "a referenced resource does not exist",
    400,
    "InvalidResourceReference",
    "Resource {missing} referenced by resource {resource} was not found. Please make sure "
    "that the referenced resource exists, and that both resources are in the same region.",
    "3P",
)
WRONG_TYPE = Situation(
    "an id of the wrong type",
    400,
    "InvalidReferenceType",
    "Reference Id {id} is referencing resource of a wrong type. The Id is expected to "
    "reference resources of type {expected}. Path {path}.",
    "INF",
)
NOT_PROVISIONED = Situation(
    "a referenced resource is Updating or Failed",
    400,
    "ReferencedResourceNotProvisioned",
    "Cannot proceed with operation because resource {used} used by resource {by} is not in "
    "Succeeded state. Resource is in {state} state and the last operation that updated/is "
    "updating the resource is {operation}.",
    "3P",
)
BAD_NAME = Situation(
    "a resource name outside the allowed characters",
    400,
    "InvalidResourceName",
    "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin"
    " with a word character, and it must end with a word character or with '_'. The name may "
    "contain word characters or '.', '-', '_'.",
    "UNV",
)
BAD_VALUE = Situation(
    "a property of the wrong shape",
    400,
    "InvalidRequestFormat",
    "Cannot parse the request: {reason}.",
    "UNV",
)
IP_NOT_IN_SUBNET = Situation(
    "static address outside the subnet",
    400,
    "PrivateIPAddressNotInSubnet",
    "Private static IP address {address} does not belong to the range of subnet prefix {prefix}.",
    "3P",
)
IP_RESERVED = Situation(
    "static address among the first four or the last",
    400,
    "PrivateIPAddressInReservedRange",
    "Private static IP address {address} falls within reserved IP range of subnet prefix {prefix}.",
    "3P",
)
IP_TAKEN = Situation(
    "static address held by another resource",
    400,
    "PrivateIPAddressIsAllocated",
    "IP configuration {configuration} is using the private IP address {address} which is "
    "already allocated to resource {holder}.",
    "DOC",
)
IP_IN_USE = Situation(
    "static address that the PLS's own NIC already holds dynamically",
    400,
    "PrivateIPAddressInUse",
    "Private static IP address {address} is already in use by {holder}.",
    "INF",
)
SUBNET_FULL = Situation(
    "no free address left in the subnet",
    400,
    "SubnetIsFull",
    "Subnet {subnet} with address prefix {prefix} does not have enough capacity for 1 IP addresses.",
    "UNV",
)
SUBNET_IN_USE = Situation(
    "delete of a subnet that is in use",
    400,
    "InUseSubnetCannotBeDeleted",
    "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet,"
    " delete all the resources within the subnet. See aka.ms/deletesubnet.",
    "3P",
)
PREFIX_IN_USE = Situation(
    "another prefix for a subnet that is in use",
    400,
    "InUsePrefixCannotBeDeleted",
    "IpPrefix {prefix} on Subnet {name} has active allocations and cannot be deleted.",
    "UNV",
)
PUBLIC_IP_IN_USE = Situation(
    "delete of a public IP that a frontend uses",
    400,
    "PublicIPAddressCannotBeDeleted",
    "Public IP address {id} can not be deleted since it is still allocated to resource {user}.",
    "UNV",
)
PUBLIC_IP_TAKEN = Situation(
    "a public IP on a second frontend",
    400,
    "PublicIPAddressInUse",
    "Resource {user} is referencing public IP address {id} that is already allocated to resource {other}.",
    "UNV",
)
NIC_MANAGED = Situation(
    "write or delete of a NIC that a PLS or private endpoint owns",
    400,
    "SimNetworkInterfaceIsManaged",
    "Network interface {id} is managed by {owner} and cannot be changed or deleted.",
    "UNV",
)
SUBNET_RANGE = Situation(
    "a subnet outside its virtual network",
    400,
    "NetcfgSubnetRangeOutsideVnet",
    "Subnet '{name}' is not valid because its IP address range is outside the IP address "
    "range of virtual network '{vnet}'.",
    "UNV",
)
SUBNET_OVERLAP = Situation(
    "subnets that overlap",
    400,
    "NetcfgSubnetRangesOverlap",
    "Subnet '{name}' is not valid because its IP address range overlaps with that of an "
    "existing subnet in virtual network '{vnet}'.",
    "UNV",
)
