"""Who may publish: a bearer token for Event Grid, an access key, or a signature made with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from sandbox.arm.access import claims_of

AUDIENCE = "https://eventgrid.azure.net"
_SAFE = "~()*!.'"  # what Event Grid's clients leave as it is


def refusal(headers: Mapping[str, str], key: str) -> str:
    """Why a request may not publish; "" where it may."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _of_token(token)
    if given := headers.get("aeg-sas-key"):
        return "" if hmac.compare_digest(given, key) else "The access key is not one of this topic."
    if signed := headers.get("aeg-sas-token"):
        return _of_signature(signed, key)
    return "The request has neither a bearer token nor an aeg-sas-key or aeg-sas-token header."


def _of_token(token: str) -> str:
    claims = claims_of(token)
    if str(claims.get("aud", "")).rstrip("/") != AUDIENCE:
        return f"The token is for {claims.get('aud')!r}; wanted: {AUDIENCE}."
    if float(claims.get("exp") or 0) <= time.time():
        return "The token has expired."
    return ""


def _of_signature(signed: str, key: str) -> str:
    parts = dict(part.partition("=")[::2] for part in signed.split("&"))
    wanted = quote(_signature(f"r={parts.get('r', '')}&e={parts.get('e', '')}", key), safe=_SAFE)
    if not hmac.compare_digest(parts.get("s", ""), wanted):
        return "The signature does not match."
    return "" if _ends(unquote(parts.get("e", ""))) > time.time() else "The signature has expired."


def _signature(text: str, key: str) -> bytes:
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256))


def _ends(text: str) -> float:
    """The Unix time that a signature names; 0 for what is no time."""
    try:
        ends = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp()
