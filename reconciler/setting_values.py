"""How the text of one setting becomes its value. Each raises ValueError with the reason, without the name."""

from __future__ import annotations

import base64
import re
import reprlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

LONGEST_PATH = 4096
# Of the only environment variables that a clusters' document may name.
SECRET_PREFIX = "CLUSTER_SECRET_"  # noqa: S105
LOCAL = ("localhost", "127.0.0.1", "::1")
_SURFACE = reprlib.Repr()
_SURFACE.maxlevel = 2


def text(value: str) -> str:
    """Anything."""
    return value


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"is {shown(value)}; wanted: a whole number from {least} to {most}")
        return int(value)

    return read


def share(value: str) -> float:
    """A number from 0 to 1."""
    if not re.fullmatch(r"[0-9]*\.?[0-9]{1,9}", value) or not float(value) <= 1:
        raise ValueError(f"is {shown(value)}; wanted: a share from 0 to 1, such as 0.3")
    return float(value)


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words, in any case."""

    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"is {shown(value)}; wanted: {' or '.join(words)}")
        return value.lower()

    return read


def optional(read: Callable[[str], str]) -> Callable[[str], str]:
    """As ``read``, or nothing."""
    return lambda value: read(value) if value else ""


def address(value: str) -> str:
    """An https address, without a slash at its end; plain http only to this machine."""
    try:
        parts = urlsplit(value)
        fits = bool(parts.hostname) and not re.search(r"\s", value)
        fits = fits and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that is not closed
        fits = False
    if not fits or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)):
        raise ValueError(f"is {shown(value)}; wanted: an https:// address")
    return value.rstrip("/")


def topic(value: str) -> str:
    """The endpoint of a custom topic, as the portal shows it. Tokens go there: https alone."""
    if not re.fullmatch(r"https://[^/\s?#@]+/api/events", value) or address(value) != value:
        raise ValueError(f"is {shown(value)}; wanted: https://NAME.REGION-1.eventgrid.azure.net/api/events")
    return value


def file(value: str) -> str:
    """The path of a file that is there."""
    if not Path(value).is_file():
        raise ValueError(f"is {shown_path(value)}, and there is no such file")
    return value


def authority(value: str) -> str:
    """Certificates in PEM, one below the other. Line breaks are made anew: some ways into a setting lose them."""
    import ssl  # here: few set this, and a cold start would pay for it

    found = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", value, re.DOTALL)
    try:
        content = [base64.b64decode(re.sub(r"\\[nr]|\s", "", each), validate=True) for each in found]
        pem = "".join(map(ssl.DER_cert_to_PEM_cert, content))
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ValueError, ssl.SSLError):
        raise ValueError("is no certificate; wanted: PEM, from -----BEGIN CERTIFICATE----- on") from None
    return pem


def schedule(value: str) -> str:
    """What a timer trigger takes: NCRONTAB of six fields."""
    if len(value.split()) != 6 or not re.fullmatch(r"[0-9A-Za-z*/,\- ]+", value):
        wanted = "second minute hour day month weekday, such as 0 */5 * * * *"
        raise ValueError(f"is {shown(value)}; wanted: six fields, {wanted}")
    return value


def queue_name(value: str) -> str:
    """A queue's name; eight characters below the service's limit of 63, for ``-poison``."""
    if not re.fullmatch(r"(?!.*--)[a-z0-9][a-z0-9-]{1,53}[a-z0-9]", value):
        wanted = "3 to 55 lower-case letters, digits and single hyphens, none of them at an end"
        raise ValueError(f"is {shown(value)}; wanted: {wanted}")
    return value


def blob(value: str) -> str:
    """``container/path``, or an address."""
    plain = value.partition("?")[0]  # what follows may be a signature, which is not to be shown
    try:
        inside = urlsplit(address(plain)).path if "://" in value else plain
    except ValueError:
        inside = ""
    if not re.fullmatch(r"/?[^/]+/[^/].*", inside):
        raise ValueError(f"is {shown(plain)}; wanted: container/path, or the blob's https:// address")
    return value.strip("/")


def connection_string(value: str) -> str:
    """A storage account's connection string; never part of a message, for it holds the key."""
    parts = dict(part.partition("=")[::2] for part in value.split(";") if part.strip())
    names = {name.strip().lower() for name, content in parts.items() if content.strip()}
    account = {"accountname", "accountkey"} <= names
    signed = {"sharedaccesssignature", "tableendpoint", "queueendpoint"} <= names
    if not (account or signed or "usedevelopmentstorage" in names):
        wanted = "AccountName and AccountKey, or TableEndpoint, QueueEndpoint and SharedAccessSignature"
        raise ValueError(f"is no connection string; wanted: one with {wanted}")
    return value


def shown(value: object) -> str:
    """A value for a message: quoted, and not endless.

    Aliases make a few lines of YAML a list of billions: only its surface is looked at.
    """
    plain = isinstance(value, str | int | float | None)
    said = str(value) if plain else _SURFACE.repr(value)
    return repr(said if len(said) <= 60 else said[:57] + "...")


def shown_path(value: str) -> str:
    """A path for a message: whole, since its end tells most; text that can be no path is cut."""
    return repr(value) if len(value) <= LONGEST_PATH and value.isprintable() else shown(value)
