"""What was said, kept line by line, so that an interview goes on where it stopped."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from otium.errors import BadRecord


class Entry(Protocol):
    """A part of an interview that is kept as soon as it is there: a session, a trial."""

    @property
    def id(self) -> str:
        """Return what it is called, the same whenever it is held."""
        ...

    def encode(self) -> bytes:
        """Return it as canonical JSON."""
        ...

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what *data* says; raise BadRecord."""
        ...


E = TypeVar("E", bound=Entry)


class Journal(Generic[E]):
    """A file of entries of one kind, one a line; a torn last line counts for nothing."""

    def __init__(self, path: Path | None, kind: type[E]) -> None:
        """Keep entries at *path*; None keeps them nowhere."""
        self.path, self.kind = path, kind
        self._lock = threading.Lock()

    def held(self) -> dict[str, E]:
        """Return what was kept, by its id; of two alike the later."""
        found: dict[str, E] = {}
        if self.path is None or not self.path.is_file():
            return found
        for line in self.path.read_bytes().split(b"\n"):
            try:
                entry = self.kind.decode(line)
            except BadRecord:
                continue
            found[entry.id] = entry
        return found

    def keep(self, entry: E) -> None:
        """Write *entry* down and wait until the disk has it."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab") as file:
            # A line feed first: what a crash tore off before ends here.
            file.write(b"\n" + entry.encode())
            file.flush()
            os.fsync(file.fileno())

    def forget(self) -> None:
        """Remove the file: what it holds is filed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
