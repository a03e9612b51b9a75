"""Logs to measure on: many entries like those of a real house, signed and unsigned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otium.authority import Judge, Keyring, actor_for
from otium.ledger import Entry, Ledger
from otium.notes import RoleKey, Signer
from otium.records import Instant, digest, later
from otium.store import LocalStore

ORIGIN = "timing.example/log"
_START = Instant("2026-01-01T00:00:00Z")
_BATCH = 1000
_KINDS = ("model.checked", "model.registered", "heartbeat", "audit.verdict")


def entries(count: int, first: int = 0) -> list[Entry]:
    """Return *count* entries of about 300 bytes, ten seconds apart."""
    return [_entry(number) for number in range(first, first + count)]


def _entry(number: int) -> Entry:
    kind = _KINDS[number % len(_KINDS)]
    return Entry(
        type=kind,
        time=later(_START, seconds=10 * number),
        actor=actor_for(kind),
        subject=f"model-{number % 997}",
        body={"ok": True, "objects": number % 1000, "bytes": 48_000_000 + number, "damage": []},
        refs=(digest(b"%d" % number),),
    )


def written(folder: Path, log: Sequence[Entry]) -> tuple[LocalStore, Signer]:
    """Return a store with *log* in it, and who signed."""
    store, signer = LocalStore(folder), Signer.generate(ORIGIN)
    ledger = Ledger.create(store, signer, origin=ORIGIN)
    for at in range(0, len(log), _BATCH):
        ledger.append(*log[at : at + _BATCH])
    return store, signer


def signed(log: Sequence[Entry]) -> list[Entry]:
    """Return *log* after its founding, each entry signed by a key with the role for it."""
    keyring = Keyring(RoleKey.generate(name) for name in ("root-1", "house-1"))
    roots, grants = keyring.founders()
    founding = Entry(
        type="archive.created",
        time=_START,
        actor=actor_for("archive.created"),
        subject="house",
        body={"root": roots},
    )
    judge = Judge(ORIGIN)
    made = [keyring.sign(founding, judge, _START)]
    judge.judge(made[0])
    for vkey, roles in grants:
        body: dict[str, object] = {"key": vkey, "roles": list(roles)}
        entry = Entry(
            type="key.granted",
            time=_START,
            actor=actor_for("key.granted"),
            subject="house",
            body=body,
        )
        made.append(keyring.sign(entry, judge, _START))
        judge.judge(made[-1])
    return made + [keyring.sign(entry, judge, entry.time) for entry in log]
