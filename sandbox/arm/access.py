"""Who may call: tokens, the OAuth endpoints of `az login`, managed identity as App Service serves it."""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.arm import fidelity
from sandbox.arm.errors import gateway
from sandbox.arm.options import ArmOptions
from sandbox.arm.state import Json
from sandbox.arm.world import Caller, Reply

_CLOUD_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
_NAMESPACE = uuid.UUID("6f0f7f4c-6d7c-4a57-9a3b-0d6f2c2d9a10")
SYSTEM_ASSIGNED = "11111111-1111-1111-1111-111111111111"


def issue(options: ArmOptions, audience: str, app_id: str, issuer: str) -> tuple[str, int]:
    """An unsigned JWT and the Unix time at which it ends."""
    now = int(time.time())
    ends = now + options.token_seconds
    claims: Json = {
        "aud": audience,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": ends,
        "appid": app_id,
        "oid": str(uuid.uuid5(_NAMESPACE, app_id)),
        "tid": options.tenant,
        "idtyp": "app",
        "ver": "1.0",
    }
    head = {"typ": "JWT", "alg": "none"}
    return f"{_encode(head)}.{_encode(claims)}.{_encode({'sandbox': True})}", ends


def authenticate(headers: Mapping[str, str], base_url: str) -> Caller:
    """The caller named by the bearer token; 401 for none, an expired one, or one for another audience."""
    challenge = {
        "WWW-Authenticate": f'Bearer authorization_uri="{base_url}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    }
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise gateway.NO_TOKEN.error(headers=challenge)
    claims = claims_of(token)
    ends, now = float(claims.get("exp") or 0), time.time()
    if not claims:
        raise gateway.BAD_TOKEN.error(headers=challenge)
    if ends <= now:
        raise gateway.EXPIRED_TOKEN.error(headers=challenge, ended=_shown(ends), now=_shown(now))
    audience, taken = str(claims.get("aud", "")), (base_url, *_CLOUD_AUDIENCES)
    if audience.rstrip("/") not in taken:
        allowed = ",".join(f"'{one}/','{one}'" for one in taken)
        raise gateway.OTHER_AUDIENCE.error(headers=challenge, audience=audience, allowed=allowed)
    return Caller(str(claims.get("appid", "")), str(claims.get("oid", "")))


def _shown(moment: float) -> str:
    """As .NET writes a time in the United States: `8/21/2018 3:22:00 PM`."""
    utc = time.gmtime(moment)
    return time.strftime(f"{utc.tm_mon}/{utc.tm_mday}/%Y {utc.tm_hour % 12 or 12}:%M:%S %p", utc)


def application(headers: Mapping[str, str]) -> str:
    """The application id that the bearer token claims, unchecked; "" for none."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return str(claims_of(token).get("appid", "")) if scheme.lower() == "bearer" else ""


def managed_identity(
    options: ArmOptions, headers: Mapping[str, str], query: Mapping[str, str], base_url: str
) -> Reply:
    """App Service's token endpoint: X-IDENTITY-HEADER must be the secret, `resource` the audience."""
    header = headers.get("X-IDENTITY-HEADER")
    if header != options.identity_header:
        message = "The X-IDENTITY-HEADER header is missing or wrong."
        body = {"statusCode": 403 if header else 401, "message": message}
        return Reply(403 if header else 401, body, guess=fidelity.IDENTITY_REFUSED)
    resource = query.get("resource", "")
    if not resource or not query.get("api-version"):
        message = "resource and api-version are required."
        return Reply(400, {"statusCode": 400, "message": message}, guess=fidelity.IDENTITY_REFUSED)
    client_id = query.get("client_id") or SYSTEM_ASSIGNED
    token, ends = issue(options, resource, client_id, base_url)
    body = {
        "access_token": token,
        "client_id": client_id,
        "expires_on": str(ends),
        "resource": resource,
        "token_type": "Bearer",
    }
    return Reply(200, body)


def openid_configuration(base_url: str, tenant: str) -> Json:
    """What MSAL asks a tenant's authority for."""
    authority = f"{base_url}/{tenant}"
    return {
        "issuer": f"{authority}/v2.0",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def client_credentials(options: ArmOptions, form: Mapping[str, Any], base_url: str, tenant: str) -> Reply:
    """The token endpoint; any client id and secret will do."""
    client_id = str(form.get("client_id") or "")
    if not client_id:
        mistake = {"error": "invalid_request", "error_description": "client_id is missing"}
        return Reply(400, mistake)
    scope = str(form.get("scope") or form.get("resource") or base_url)
    audience = scope.split()[0].removesuffix("/.default").rstrip("/")
    token, _ends = issue(options, audience, client_id, f"{base_url}/{tenant}/v2.0")
    seconds = options.token_seconds
    body: Json = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
    return Reply(200, {**body, "access_token": token})


def cloud_metadata(base_url: str, tenant: str, api_version: str) -> Json | list[Json]:
    """`/metadata/endpoints`: one object for the Azure CLI, an array for 2019-05-01 and before."""
    found: Json = {
        "name": "sandbox",
        "resourceManager": base_url,
        "portal": base_url,
        "graphAudience": base_url,
        "graph": base_url,
        "gallery": base_url,
        "batch": base_url,
        "authentication": {
            "loginEndpoint": base_url,
            "audiences": [base_url, *_CLOUD_AUDIENCES],
            "tenant": tenant,
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
    }
    return [found] if api_version <= "2019-05-01" else found


def _encode(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(token: str) -> Json:
    """What a token claims, unchecked; nothing where it is none."""
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}
