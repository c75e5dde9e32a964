"""The annotations: their names, and how cloud-provider-azure reads a value (``pkg/consts/helpers.go``). Pure.

Oddities included: some values are trimmed and some are not, lists are split on single spaces only. What the values
mean together is in :mod:`reconciler.claims`.
"""

from __future__ import annotations

from reconciler.model import Service

_PROVIDER = "service.beta.kubernetes.io/"
LB_INTERNAL = _PROVIDER + "azure-load-balancer-internal"
LB_INTERNAL_SUBNET = _PROVIDER + "azure-load-balancer-internal-subnet"
LB_DISABLE_FLOATING_IP = _PROVIDER + "azure-disable-load-balancer-floating-ip"
LB_IPV4 = _PROVIDER + "azure-load-balancer-ipv4"
PIP_NAME = _PROVIDER + "azure-pip-name"

CREATE = "create"
NAME = "name"
RESOURCE_GROUP = "resource-group"
SUBNET = "ip-configuration-subnet"
IP_COUNT = "ip-configuration-ip-address-count"
IP_ADDRESS = "ip-configuration-ip-address"
FQDNS = "fqdns"
PROXY_PROTOCOL = "proxy-protocol"
VISIBILITY = "visibility"
AUTO_APPROVAL = "auto-approval"

PLS_ANNOTATIONS = (
    CREATE,
    NAME,
    RESOURCE_GROUP,
    SUBNET,
    IP_COUNT,
    IP_ADDRESS,
    FQDNS,
    PROXY_PROTOCOL,
    VISIBILITY,
    AUTO_APPROVAL,
)
# Written for people, where WRITE_BACK is annotations; nobody reads them.
WRITTEN_BACK = ("alias", "resource-id")
# Presence counts, even of an empty value; the resource group is not one (serviceHasAdditionalConfigs).
SETTINGS = tuple(name for name in PLS_ANNOTATIONS if name not in (CREATE, RESOURCE_GROUP))

# unicode.IsSpace, which Go's strings.TrimSpace uses; Python's strip() takes \x1c-\x1f off as well.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACE += "\u2028\u2029\u202f\u205f\u3000"


def trim(value: str) -> str:
    """Go's ``strings.TrimSpace``."""
    return value.strip(_SPACE)


def is_true(value: str | None) -> bool:
    """``getBoolValueFromServiceAnnotations``: trimmed, any case; everything else is false."""
    return value is not None and trim(value).lower() == "true"


def is_internal(service: Service) -> bool:
    """Whether the Service asks for an internal load balancer (``requiresInternalLoadBalancer``: exactly "true")."""
    return service.annotations.get(LB_INTERNAL) == "true"


def entries(value: str) -> tuple[str, ...]:
    """A list: split on single spaces only, entries trimmed, blanks dropped."""
    return tuple(part for raw in value.split(" ") if (part := trim(raw)))


def asks(service: Service, prefix: str) -> bool:
    """Whether the Service asks for a Private Link Service: what its claim says, without reading the rest of it."""
    return is_true(service.annotations.get(prefix + CREATE))
