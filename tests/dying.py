"""A store that dies at any moment."""

from __future__ import annotations

from collections.abc import Iterable

from otium.store import Buffer
from otium.testing import MemoryStore


class PowerCut(BaseException):
    """The end of a process."""


class Cut(MemoryStore):
    """A store whose power fails at one write, just before it or just after it is done."""

    def __init__(self, at: int, *, done: bool) -> None:
        super().__init__()
        self.writes, self.at, self.done = 0, at, done
        self.added: list[tuple[str, str]] = []

    def put(self, name: str, data: Buffer) -> None:
        self.cut(done=False)
        super().put(name, data)
        self.cut(done=True)

    def replace(self, name: str, data: Buffer) -> None:
        self.cut(done=False)
        super().replace(name, data)
        self.cut(done=True)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        self.cut(done=False)
        sha256 = super().add(folder, chunks, suffix)
        self.added.append((sha256, folder))
        self.cut(done=True)
        return sha256

    def cut(self, *, done: bool) -> None:
        self.writes += done
        if self.writes - done == self.at and done == self.done:
            raise PowerCut
