"""How the Azure SDKs reach their services: as many connections kept as there are threads, nothing tried again below the
SDK, and no credentials but the SDK's own.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")
MOST_THREADS = 144  # those of an engine: MAX_WRITES at its most, and the sixteen beside them


def transport(connections: int = MOST_THREADS, ca_file: str = "", **options: Any) -> Any:
    """A transport of its own, which its client closes. Proxies are the environment's, by the address.

    So are the authorities, unless ``ca_file`` (PEM) names one. The SDK's own keeps ten connections: of more threads
    each opens one, with a TLS handshake, that is thrown away after its answer, with a warning.
    """
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    session = requests.Session()
    session.auth = _as_it_is
    # As the SDK has it. After none of 0 tries the error would tell the whole address, a signature in it, too.
    never = Retry(total=False, redirect=False, raise_on_status=False)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=never))
    return RequestsTransport(session=session, connection_verify=ca_file or True, **options)


def _as_it_is(request: T) -> T:
    """Where nobody signs, the library would: with what a .netrc says of the host, in place of the token."""
    return request
