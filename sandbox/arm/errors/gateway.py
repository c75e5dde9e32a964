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
    "a token that is none",
    401,
    "InvalidAuthenticationToken",
    "The access token is invalid.",
    "3P",
)
EXPIRED_TOKEN = _refusal(
    "a token that has ended",
    401,
    "ExpiredAuthenticationToken",
    "The access token expiry UTC time '{ended}' is earlier than current UTC time '{now}'.",
    "3P",
)
OTHER_AUDIENCE = _refusal(
    "a token for another audience",
    401,
    "InvalidAuthenticationTokenAudience",
    "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly match "
    "with one of the allowed audiences {allowed}.",
    "3P",
)
NO_API_VERSION = _refusal(
    "no api-version",
    400,
    "MissingApiVersionParameter",
    "The api-version query parameter (?api-version=) is required for all requests.",
    "3P",
)
BAD_API_VERSION = _refusal(
    "an api-version that is no date",
    400,
    "InvalidApiVersionParameter",
    "The api-version '{version}' is invalid. The supported versions are '{supported}'.",
    "3P",
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
    "The resource type could not be found in the namespace '{namespace}' for api version '{version}'.",
    "3P",
)
NO_NAMESPACE = _refusal(
    "a resource provider that is not Microsoft's",
    404,
    "InvalidResourceNamespace",
    "The resource namespace '{namespace}' is invalid.",
    "3P",
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
TAG_CHARACTERS = _refusal(
    "a tag's name with <>%&\\?/",
    400,
    "InvalidTagNameCharacters",
    "The tag names '{names}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
    "3P",
)
TAG_NAME_LENGTH = _refusal(
    "a tag's name over 512 characters",
    400,
    "InvalidTagName",
    "Tag name too large. Following tag name '{name}' exceeded the maximum length. Maximum allowed length for "
    "tag name - '{limit}' characters.",
    "3P",
)
TAG_VALUE_LENGTH = _refusal(
    "a tag's value over 256 characters",
    400,
    "InvalidTagValueLength",
    "Tag value too large. Following tag value '{value}' exceeded the maximum length. Maximum allowed length for "
    "tag value - '{limit}' characters.",
    "3P",
)
TOO_MANY_TAGS = _refusal(
    "more than 50 tags",
    400,
    "SimTooManyTags",
    "The resource has {count} tags; the limit is {limit}.",
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
