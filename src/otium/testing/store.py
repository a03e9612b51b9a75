"""A store in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from otium.errors import BadInput, Exists, NotFound
from otium.store import Buffer, Span, check_name, content_name


class MemoryStore:
    """A dictionary that keeps the Store's promises, durability aside."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        if check_name(name) in self.objects:
            raise Exists(name=name)
        self.objects[name] = bytes(data)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        data = b"".join(chunks)
        sha256 = hashlib.sha256(data).hexdigest()
        self.objects.setdefault(check_name(content_name(folder, sha256, suffix)), data)
        return sha256

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*."""
        self.objects[check_name(name)] = bytes(data)

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        data = self._find(name)
        if span is None:
            return data
        part = data[span.offset : span.offset + span.length]
        if len(part) != span.length:
            raise BadInput(what=f"{name} bytes {span.offset}+{span.length}", why="past the end")
        return part

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        return len(self._find(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        yield from sorted(name for name in self.objects if name.startswith(prefix))

    def _find(self, name: str) -> bytes:
        try:
            return self.objects[check_name(name)]
        except KeyError as error:
            raise NotFound(what=name) from error
