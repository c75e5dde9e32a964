"""From the configured way to a cluster's API to a client of the ``kubernetes`` library that can speak to it.

Whatever cannot work is refused here, before any request, with what to do about it: the library would log a line
and go on as nobody.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from reconciler.adapters.cluster_tokens import Tokens
from reconciler.adapters.kubernetes_programs import refuse_program
from reconciler.adapters.wire import clean
from reconciler.errors import UNUSABLE, Denied, OutsideError, Rejected
from reconciler.model import ApiAccess, Endpoint
from reconciler.setting_values import SECRET_PREFIX

# The application of AKS's API servers, the same in all clouds.
AKS_SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
_CONNECTIONS = 16  # the engine reads Services by name from that many threads
_REFERENCE = "@Microsoft.KeyVault("
_AUTHORIZATION = re.compile(r"(Bearer|Basic) ([!-~]+)")


def _no_identity(_: str) -> NoReturn:
    raise Denied(
        "There is no identity here to get a token from Microsoft Entra or to ask Azure for a cluster"
    )


@dataclass(frozen=True, slots=True)
class Means:
    """What reaching a cluster takes besides its configuration.

    ``locate`` tells where the API of an AKS cluster (a resource id) is. ``environ`` holds the secrets.
    """

    tokens: Tokens = field(default_factory=lambda: Tokens(_no_identity))
    locate: Callable[[str], Endpoint] = _no_identity
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A client, and what to do when the API does not take its token: ``forget`` it."""

    client: Any
    forget: Callable[[], None]


# One thread at a time. Two that import the client library at once see half of it: its modules import each other.
# And it writes what a kubeconfig embeds into files, which it remembers by content before they are written:
# another cluster with the same authority would read an empty one.
_LIBRARY = threading.Lock()


def open_api(access: ApiAccess, means: Means) -> Opened:
    """A client for this access. Raises Denied with what is missing, RetryLater where Azure cannot be asked."""
    found = _found(access, means)  # may ask Azure, so not under the lock
    bearer = _bearer(found, means)
    with _LIBRARY:
        client = _opened(found, bearer, means.environ)
    return Opened(client, lambda: means.tokens.forget(found.scope) if found.scope else None)


def unusable(why: str) -> Denied:
    """The configuration, or what it points to, cannot work."""
    return Denied(f"The configured access to the cluster is not usable: {why}", code=UNUSABLE)


def _found(access: ApiAccess, means: Means) -> ApiAccess:
    """The access with what it only names looked up."""
    if access.aks:
        endpoint = means.locate(access.aks)
        return ApiAccess(server=endpoint.server, ca_data=endpoint.ca_pem, scope=AKS_SCOPE)
    if access.kubeconfig_secret:
        return replace(access, kubeconfig_content=_secret(access.kubeconfig_secret, means.environ))
    return access


def _bearer(access: ApiAccess, means: Means) -> Callable[[], str] | None:
    """What tells the token of a server, asked before each request; None where a kubeconfig or a pod has its own."""
    if access.scope:
        return lambda: means.tokens.get(access.scope)
    if access.token_secret:
        secret = _secret(access.token_secret, means.environ)
        return lambda: secret
    if access.token_file:
        # The kubelet and others replace such files long before they expire. What is no text is no token.
        return lambda: Path(access.token_file).read_text(encoding="utf-8", errors="replace").strip()
    return None


def _secret(name: str, environ: Mapping[str, str]) -> str:
    """A secret of the environment; no other variable can be named, so none can be sent to a server."""
    variable = f"{SECRET_PREFIX}{name}"
    value = environ.get(variable, "").strip()
    if not value:
        raise unusable(
            f"its secret {name} is the environment variable {variable}, which is not set. In Azure it is an app "
            f"setting: {_REFERENCE}SecretUri=https://<vault>.vault.azure.net/secrets/<secret>)"
        )
    if value.startswith(_REFERENCE):
        raise unusable(
            f"{variable} holds a Key Vault reference that was not resolved: the function app's identity has no "
            "access to the vault (role Key Vault Secrets User, and keyVaultReferenceIdentity where it is a "
            "user-assigned one), the vault's network lets nobody in, or the address is wrong"
        )
    return value


def _opened(access: ApiAccess, bearer: Callable[[], str] | None, environ: Mapping[str, str]) -> Any:
    from kubernetes.config.config_exception import ConfigException

    try:
        return _configured(access, bearer, environ)
    except OutsideError:
        raise
    except (OSError, ConfigException) as error:
        raise unusable(clean(str(error))) from error
    except Exception as error:
        # A parser's message quotes what it read, and a kubeconfig holds secrets: only its kind is told.
        raise unusable(f"it cannot be understood ({type(error).__name__})") from None


def _configured(access: ApiAccess, bearer: Callable[[], str] | None, environ: Mapping[str, str]) -> Any:
    import kubernetes.config
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

    configuration: Any = Configuration(retries=False, connection_pool_maxsize=_CONNECTIONS)
    # Only a kubeconfig names a proxy: one for the internet must not get the token of a private API.
    configuration.proxy = None
    if access.kubeconfig or access.kubeconfig_content:
        _configure_kubeconfig(configuration, access, environ)
    elif access.in_cluster:
        loader: Any = kubernetes.config  # its functions have no types
        loader.load_incluster_config(configuration)
    else:
        _configure_server(configuration, access, bearer)
    client = ApiClient(configuration)
    client.user_agent = "pls-reconciler"
    return client


def _configure_kubeconfig(configuration: Any, access: ApiAccess, environ: Mapping[str, str]) -> None:
    import kubernetes.config
    import yaml

    loader: Any = kubernetes.config
    context = access.context or None
    path = Path(access.kubeconfig).expanduser() if access.kubeconfig else None
    if path and not path.is_file():
        raise unusable(f"there is no kubeconfig {path}")
    document = yaml.safe_load(path.read_text(encoding="utf-8") if path else access.kubeconfig_content)
    program = refuse_program(document, access.context, path.parent if path else None, environ)
    if path:
        loader.load_kube_config(str(path), context, configuration, persist_config=False)
    else:
        loader.load_kube_config_from_dict(document, context, configuration, persist_config=False)
    if program and not (configuration.api_key or configuration.cert_file):
        raise unusable(f"the program {program} of its kubeconfig gave no token")
    if configuration.api_key and _is_open(configuration.host):
        raise unusable("its kubeconfig sends credentials to an address that is not https, for all to read")
    if configuration.api_key:
        renew = configuration.refresh_api_key_hook
        _authorize(configuration, "BearerToken", lambda: _renewed(configuration, renew))


def _is_open(server: str) -> bool:
    """Whether what is sent can be read on its way: not encrypted, and not within this machine either."""
    parts = urlsplit(server)
    return parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _renewed(configuration: Any, renew: Callable[[Any], None]) -> str:
    renew(configuration)
    return str(configuration.api_key["BearerToken"])


def _configure_server(configuration: Any, access: ApiAccess, bearer: Callable[[], str] | None) -> None:
    if urlsplit(access.server).scheme != "https":
        raise Rejected("A cluster's server must be an https address: its token must not travel in the open")
    configuration.host = access.server.rstrip("/")
    configuration.ssl_ca_cert = access.ca_file or None
    configuration.ca_cert_data = access.ca_data or None
    if bearer:
        _authorize(configuration, "authorization", lambda: f"Bearer {bearer()}")


def _authorize(configuration: Any, key: str, header: Callable[[], str]) -> None:
    """Let each request, thus each page of a list, carry the header of its moment.

    Not ``access_token``, which is silently anonymous. The library calls its hook only where there is a key.
    """

    def renew(renewed: Any) -> None:
        renewed.api_key[key] = _header(header())

    configuration.api_key = {key: ""}
    configuration.refresh_api_key_hook = renew


def _header(value: str) -> str:
    """The value of an Authorization header. A file that holds no token must not be sent to anybody."""
    found = _AUTHORIZATION.fullmatch(value.strip())
    if not found:
        raise unusable("what should be its token is empty, or is none")
    return f"{found[1]} {found[2]}"
