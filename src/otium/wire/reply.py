"""What a client gives: a status, then the body, whole or as it comes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

MOST_WHOLE = 64 << 20
"""Bytes of a body that is read whole: more than any answer of a model has."""


class WireError(ConnectionError):
    """The connection broke, or what came over it was not HTTP."""


class Reply(Protocol):
    """The answer to one request."""

    status: int

    async def read(self) -> bytes:
        """Return the whole body, or raise WireError if it breaks off or is beyond `MOST_WHOLE`."""
        ...

    async def part(self) -> bytes:
        """Return what came since the last call, waiting for it; empty at the end.

        Raises WireError if the body breaks off.
        """
        ...


class Client(Protocol):
    """Asks servers, several times over one connection where they allow it."""

    def post(
        self, url: str, body: bytes, *, key: str, seconds: float
    ) -> AbstractAsyncContextManager[Reply]:
        """Post JSON with a bearer *key*; raise WireError, or TimeoutError after *seconds* in all.

        Redirects are not followed. Leaving the block before the body's end closes the connection.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
