"""A lab with an archive and a log, and what its custodians hold."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from otium.archive import Archive
from otium.audit import Challenge, Outcome, Sealing, Seals, challenge, judge, respond, seal
from otium.ledger import Entry, Ledger
from otium.notes import Signer
from otium.records import Actor, Digest, Instant, ModelId, later
from otium.store import Store
from otium.testing import MemoryStore

NOW = Instant("2026-11-22T00:00:00Z")
DEADLINE = Instant("2026-11-29T00:00:00Z")
ONE, TWO = ModelId("one"), ModelId("two")


class Lab:
    """An archive in memory and its log; each entry is a second later than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        signer = Signer.generate("lab.example/log")
        self.vkeys = signer.vkeys
        self.ledger = Ledger.create(self.store, signer, origin=signer.name)
        self.archive = Archive.create(
            self.store, archive_id="lab", created=NOW, origin=signer.name, keys=signer.vkeys
        )
        self.now = NOW

    def log(
        self,
        type: str,  # noqa: A002
        subject: str,
        body: Mapping[str, object] | None = None,
        refs: Sequence[Digest] = (),
    ) -> None:
        self.now = later(self.now, seconds=1)
        self.ledger.append(
            Entry(
                type=type,
                time=self.now,
                actor=Actor("archivist"),
                subject=subject,
                body=dict(body or {}),
                refs=tuple(refs),
            )
        )

    def keep(self, model: ModelId, size: int) -> None:
        """Deposit so many bytes that do not compress."""
        path = self.folder / f"{model}.bin"
        path.write_bytes(random.Random(str(model)).randbytes(size))
        self.archive.add(model, path, deposited=NOW)

    def seal(self) -> Sealing:
        return seal(self.archive, self.ledger.entries, self.log)

    def seals(self) -> Seals:
        return Seals(self.ledger.entries())

    def ask(
        self,
        *,
        samples: int = 200,
        beacon: str = "dice",
        models: Sequence[ModelId] = (),
        custodian: str = "vault",
    ) -> Challenge:
        return challenge(
            self.seals(),
            self.ledger.checkpoint(),
            custodian=custodian,
            beacon=beacon,
            samples=samples,
            models=models,
            made=self.now,
            deadline=DEADLINE,
        )

    def copy(self) -> MemoryStore:
        """Return what a custodian was given: the packs alone."""
        copy = MemoryStore()
        copy.objects = {n: d for n, d in self.store.objects.items() if n.startswith("packs/")}
        return copy

    def judge(self, asked: Challenge, response: bytes) -> Outcome:
        return judge(asked, BytesIO(response), self.seals())


def response_of(asked: Challenge, copy: Store, cache: Store | None = None) -> bytes:
    out = BytesIO()
    respond(asked, copy, out, cache=cache)
    return out.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
