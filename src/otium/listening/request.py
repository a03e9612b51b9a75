"""A request, from its first byte until it is whole."""

from __future__ import annotations

from urllib.parse import unquote

from otium.errors import Refused


class Request:
    """What a client asks. Its fields are joined by commas where one came twice (RFC 9110, 5.3)."""

    __slots__ = ("body", "headers", "method", "refused", "target")

    def __init__(self, method: bytes, target: bytes, headers: dict[bytes, bytes]) -> None:
        """Begin a request; names of *headers* are in lower case, *target* is a path and a query."""
        self.method = method
        self.target = target
        self.headers = headers
        self.body: bytes | bytearray = b""
        self.refused: Refused | None = None
        """Why it is not to be answered: then the body is not whole."""

    @property
    def path(self) -> str:
        """Return the path, decoded."""
        return unquote(self.target.partition(b"?")[0].decode("latin-1"))
