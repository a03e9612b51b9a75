"""The one seam between otium and whatever keeps its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from otium.errors import BadInput, Exists, Unsupported

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

    When a call returns, its effect survives a power cut. When it raises CannotStore, the effect
    may or may not have happened: make the same call again. Names are ``/``-separated ASCII.
    """

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken.

        Of writers that race for a name just one returns; the others get Exists.
        """
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
        """Yield each name that begins with *prefix*, in the order of their ASCII codes."""
        ...


def check_name(name: str) -> str:
    """Return *name* if it is one that every store can hold, else raise BadInput."""
    if not is_name(name):
        raise BadInput(what=f"the name {name!r}", why="a store cannot hold it")
    return name


def is_name(name: str) -> bool:
    """Return whether *name* is one that every store can hold."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def check_span(name: str, span: Span) -> Span:
    """Return *span* if it counts forward from the first byte, else raise BadInput."""
    if min(span) < 0:
        raise BadInput(what=f"{name} bytes {span.offset}+{span.length}", why="before the first")
    return span


def content_name(folder: str, sha256: str, suffix: str) -> str:
    """Return the name under which content of this digest is kept."""
    return f"{folder}/{sha256[:2]}/{sha256}{suffix}"


def prove_put_if_absent(store: Store, name: str, data: Buffer) -> None:
    """Put *data* and show that *store* refuses to put it again; raise Exists or Unsupported.

    A server that does not know the condition ignores it and overwrites, and then two writers
    could undo each other. So the first object of a new archive is put twice: the same bytes,
    so that nothing is harmed where the proof fails.
    """
    store.put(name, data)
    try:
        store.put(name, data)
    except Exists:
        return
    raise Unsupported(
        what="keeping an archive", why="this store overwrites names that are already taken"
    )
