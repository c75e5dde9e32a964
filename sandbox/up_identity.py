"""The managed-identity endpoint in plain HTTP, as App Service has it: forwards to ARM's.

The product's credential code knows no certificate authority of ours, and in Azure it needs none.
"""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import web


class IdentityEndpoint:
    """A listening endpoint; `url` is what IDENTITY_ENDPOINT is set to."""

    def __init__(self, runner: web.AppRunner, session: aiohttp.ClientSession) -> None:
        self._runner, self._session = runner, session
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token"

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()
        await self._session.close()


async def start_identity(behind: str, tls: ssl.SSLContext) -> IdentityEndpoint:
    """Listen on a free port of 127.0.0.1 and forward to the endpoint `behind`."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))

    async def forward(request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if name.upper() == "X-IDENTITY-HEADER"
        }
        async with session.get(behind, params=request.query, headers=headers) as answer:
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )

    app = web.Application()
    app.router.add_get("/msi/token", forward)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return IdentityEndpoint(runner, session)
