"""Failures as the Kubernetes API tells them: a `Status` object with a reason, a message and causes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.resources import Resource

Json = dict[str, Any]

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

# The name of no reason: the server's own failures have none.
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Cause:
    """One invalid field; `reason` is a Kubernetes field error such as `FieldValueRequired`."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


@dataclass(frozen=True)
class ApiError(Exception):
    """An answer other than success; `code` is the HTTP status."""

    code: int
    message: str
    reason: str = ""
    details: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> Json:
        """The `Status` object that goes on the wire."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason or REASONS.get(self.code, UNKNOWN),
            "code": self.code,
        }
        if status["reason"] == UNKNOWN:
            del status["reason"]
        if self.details:
            status["details"] = self.details
        return status


def _details(resource: Resource, name: str) -> Json:
    group = {"group": resource.group} if resource.group else {}
    return {**({"name": name} if name else {}), **group, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, f'{resource.qualified} "{name}" not found', details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, message, "AlreadyExists", _details(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """The resourceVersion sent is not the stored one."""
    return conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, message, details=_details(resource, name))


def invalid(resource: Resource, name: str, causes: list[Cause]) -> ApiError:
    """422 with every cause, in the words `kubectl` prints."""
    lines = [f"{cause.field}: {cause.message}" for cause in causes]
    said = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    details = _details(resource, name) | {
        "kind": resource.kind,
        "causes": [
            {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
        ],
    }
    return ApiError(422, f'{resource.kind} "{name}" is invalid: {said}', details=details)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    named = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, f"{named} is forbidden: {why}", details=_details(resource, name))


def invalid_patch(shown: str, why: str) -> ApiError:
    """422 for a patch after which the object does not fit its type. It names neither kind nor name."""
    said = f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": said, "field": "patch"}]
    return ApiError(422, f' "" is invalid: patch: {said}', details={"causes": causes})


def not_declared(resource: Resource, namespace: str, name: str, paths: list[str]) -> ApiError:
    """What server-side apply answers to unknown fields: an error without a reason."""
    where = f"{namespace}/{name}" if namespace else name
    about = f"{where}; {resource.group}/{resource.version}, Kind={resource.kind}"
    said = ", ".join(f".{path}: field not declared in schema" for path in paths)
    return ApiError(500, f"failed to create typed patch object ({about}): {said}", UNKNOWN)


def bad_request(message: str) -> ApiError:
    return ApiError(400, message)


def gone(message: str, continue_token: str = "") -> ApiError:
    metadata = {"continue": continue_token} if continue_token else {}
    return ApiError(410, message, metadata=metadata)


def too_new(version: int, current: int) -> ApiError:
    """A version from the future: client-go tells it from other timeouts by its cause."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    said = f"Timeout: Too large resource version: {version}, current: {current}"
    return ApiError(504, said, details=details, headers={"Retry-After": "1"})


def unrecognized(body: bytes, kind: str, why: str) -> ApiError:
    """400 for a body that cannot be parsed; it shows where it begins, in hexadecimal unless it is an object."""
    start = body[:30].decode(errors="replace") if body.startswith(b"{") else body[:30].hex()
    shown = (start + (" ..." if len(body) > 30 else "")) if body else "<empty>"
    said = f"couldn't get version/kind; json parse error: {why}"
    return ApiError(400, f"the object provided is unrecognized (must be of type {kind}): {said} ({shown})")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized")


def no_such_path() -> ApiError:
    return ApiError(404, "the server could not find the requested resource")


def no_such_method() -> ApiError:
    return ApiError(405, "the server does not allow this method on the requested resource")
