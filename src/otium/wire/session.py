"""The client on aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from otium.wire.reply import MOST_WHOLE, Reply, WireError


class Session:
    """Asks over aiohttp. Make it on the event loop that uses it."""

    def __init__(self) -> None:
        """Pool connections without a limit of number; a request's own time is the only one."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )

    @asynccontextmanager
    async def post(
        self, url: str, body: bytes, *, key: str, seconds: float
    ) -> AsyncIterator[Reply]:
        """Post JSON, as `Client` says."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                yield _Reply(response)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise WireError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


class _Reply:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    async def read(self) -> bytes:
        whole = bytearray()
        while part := await self.part():
            whole += part
            if len(whole) > MOST_WHOLE:
                raise WireError(f"a body of more than {MOST_WHOLE} bytes")
        return bytes(whole)

    async def part(self) -> bytes:
        return await self._response.content.readany()
