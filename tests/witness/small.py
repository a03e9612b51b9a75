"""A log in memory, for whoever asks a witness or plays one false."""

from __future__ import annotations

import hashlib

from otium.ledger import Entry
from otium.ledger.merkle import consistency_path, leaf_hash, tree_hash
from otium.notes import Signer, TreeHead
from otium.records import Actor, Instant, later
from otium.witness import write_submission

ORIGIN = "log.example/a"
NAME = "witness.example/w"


class SmallLog:
    """A log in memory, of which any checkpoint and any proof can be had."""

    def __init__(self, signer: Signer, leaves: list[bytes] | None = None) -> None:
        self.signer = signer
        self.hashes = [leaf_hash(leaf) for leaf in leaves or []]

    @property
    def size(self) -> int:
        return len(self.hashes)

    def grow(self, count: int, salt: str = "") -> SmallLog:
        start = self.size
        self.hashes += [leaf_hash(f"{salt}{start + n}".encode()) for n in range(count)]
        return self

    def fork(self, size: int) -> SmallLog:
        other = SmallLog(self.signer)
        other.hashes = self.hashes[:size]
        return other

    def head(self, size: int | None = None) -> TreeHead:
        size = self.size if size is None else size
        return TreeHead(self.signer.name, size, tree_hash(self.hashes[:size]))

    def note(self, size: int | None = None) -> str:
        return self.signer.sign(self.head(size).text)

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        size = self.size if size is None else size
        if old in (0, size):
            return []
        return consistency_path(old, size, lambda a, b: tree_hash(self.hashes[a:b]))

    def ask(self, old: int, size: int | None = None) -> bytes:
        return write_submission(old, self.proof(old, size), self.note(size))


def sha256(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def entries(count: int, start: int = 0, who: str = "smol") -> list[Entry]:
    return [
        Entry(
            type="heartbeat",
            time=later(Instant("2026-01-01T00:00:00Z"), seconds=start + number),
            actor=Actor("steward"),
            subject=who,
        )
        for number in range(count)
    ]
