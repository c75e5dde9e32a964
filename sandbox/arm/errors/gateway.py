"""What ARM's gateway refuses before the resource provider sees a request."""

from functools import partial

from sandbox.arm.errors.situation import Situation

_refusal = partial(Situation, gateway=True)

NO_TOKEN = _refusal(
    "no bearer token",
    401,
    "AuthenticationFailed",
    "Authentication failed. The 'Authorization' header is missing.",
    "UNV",
)
BAD_TOKEN = _refusal(
    "a token that is expired, malformed or for another audience",
    401,
    "InvalidAuthenticationToken",
    "The access token is invalid.",
    "UNV",
)
NO_API_VERSION = _refusal(
    "no api-version",
    400,
    "MissingApiVersionParameter",
    "The api-version query parameter (?api-version=) is required for all requests.",
    "UNV",
)
BAD_BODY = _refusal(
    "a body that is not a JSON object",
    400,
    "InvalidRequestContent",
    "The request content was invalid and could not be deserialized: '{reason}'.",
    "UNV",
)
NO_SUBSCRIPTION = _refusal(
    "unknown subscription",
    404,
    "SubscriptionNotFound",
    "The subscription '{subscription}' could not be found.",
    "UNV",
)
NO_GROUP = _refusal(
    "unknown resource group",
    404,
    "ResourceGroupNotFound",
    "Resource group '{group}' could not be found.",
    "REC",
)
NO_RESOURCE = _refusal(
    "unknown top-level resource",
    404,
    "ResourceNotFound",
    "The Resource '{type}/{name}' under resource group '{group}' was not found. For more "
    "details please go to https://aka.ms/ARMResourceNotFoundFix",
    "REC",
)
NO_PARENT = _refusal(
    "a child written below a missing parent",
    404,
    "ParentResourceNotFound",
    "Failed to perform '{action}' on resource(s) of type '{type}', because the parent "
    "resource '{parent}' could not be found.",
    "REC",
)
NO_TYPE = _refusal(
    "a resource type that is not simulated",
    404,
    "InvalidResourceType",
    "The resource type '{type}' could not be found in the namespace '{namespace}' for api "
    "version '{version}'.",
    "UNV",
)
NO_VERB = _refusal(
    "a method that the resource does not know",
    405,
    "MethodNotAllowed",
    "The request method '{method}' is not supported on '{path}'.",
    "UNV",
)
NO_LOCATION = _refusal(
    "no location in the body",
    400,
    "LocationRequired",
    "The location property is required for this definition.",
    "UNV",
)
OTHER_LOCATION = _refusal(
    "a PUT with another location",
    409,
    "InvalidResourceLocation",
    "The resource '{name}' already exists in location '{location}' in resource group "
    "'{group}'. A resource with the same name cannot be created in location '{other}'. Please"
    " select a new resource name.",
    "UNV",
)
BAD_TAGS = _refusal(
    "tags over 50, names over 512 or with <>%&\\?/, values over 256",
    400,
    "InvalidTagNameCharacters",
    "The tags on the resource are not valid: {reason}.",
    "UNV",
)
THROTTLED = _refusal(
    "token bucket empty",
    429,
    "SubscriptionRequestsThrottled",
    "Number of '{kind}' requests for subscription '{subscription}' actor '{actor}' exceeded. "
    "Please try again after '{seconds}' seconds.",
    "3P",
)
