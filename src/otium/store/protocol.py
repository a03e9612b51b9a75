"""The one seam between otium and whatever keeps its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from otium.errors import BadInput

Buffer = bytes | bytearray | memoryview

_LONGEST = 400
_PART = r"[A-Za-z0-9_=+%-][A-Za-z0-9._=+%-]*"
_NAME = re.compile(rf"(?:{_PART}/)*{_PART}")


class Span(NamedTuple):
    """A range of bytes: *length* of them from *offset*."""

    offset: int
    length: int


class Store(Protocol):
    """Where bytes rest. Only what every object store can do, done atomically and durably.

    When a call returns, its effect survives a power cut. Names are ``/``-separated ASCII.
    """

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        ...

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under ``content_name(folder, sha256, suffix)``; return the SHA-256.

        Idempotent: bytes that are already there are not written again.
        """
        ...

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*, whatever it was before. For the few mutable pointers only."""
        ...

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes, or those of *span*; raise NotFound, or BadInput past the end."""
        ...

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*; raise NotFound."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        ...


def check_name(name: str) -> str:
    """Return *name* if it is one that every store can hold, else raise BadInput."""
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise BadInput(what=f"the name {name!r}", why="a store cannot hold it")
    return name


def content_name(folder: str, sha256: str, suffix: str) -> str:
    """Return the name under which content of this digest is kept."""
    return f"{folder}/{sha256[:2]}/{sha256}{suffix}"
