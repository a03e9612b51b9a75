"""Verify a whole archive with its ledger: every byte that is kept, every claim that is made."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from otium import ledger
from otium.archive import Archive, Damage
from otium.authority import Refusal, authorised, doubtful
from otium.errors import BadInput, BrokenLedger
from otium.notes import WitnessPolicy, read_policy
from otium.records import (
    Clock,
    Digest,
    Part,
    Progress,
    SystemClock,
    canonical,
    digest,
    hexadecimal,
    silent,
)
from otium.workflow.home import archive_store

WITNESSES_ADOPTED = "witnesses.adopted"


class Doubt(Part):
    """An entry that was signed by a key which somebody else may have had."""

    index: int
    key: str


class Verified(Part):
    """What was verified and what was wrong."""

    entries: int
    root: str
    """The log's root hash, base64, as the checkpoint has it."""
    objects: int
    bytes: int
    damage: tuple[Damage, ...] = ()
    refused: tuple[Refusal, ...] = ()
    """Entries that nobody was allowed to make; they count for nothing."""
    doubtful: tuple[Doubt, ...] = ()
    """Entries that count, though their key was compromised by then."""


def verify(path: Path, *, clock: Clock | None = None, progress: Progress = silent) -> Verified:
    """Recompute the log, read every stored byte, resolve every reference.

    Raises BrokenLedger if the log itself does not verify; damage elsewhere is in the result.
    """
    store = archive_store(path)
    archive = Archive.open(store)
    entries = ledger.Ledger.open(store, vkeys=archive.info.keys).entries()
    judged = authorised(entries, archive.info.origin)
    policies = witness_policies(judged.entries)
    newest = policies[-1] if policies else None
    checkpoint = ledger.verify(store, archive.info.keys, newest, earlier=policies[:-1])
    _check_founding(archive, entries)
    checked = archive.check(now=(clock or SystemClock()).now(), progress=progress)
    return Verified(
        entries=checkpoint.size,
        root=base64.b64encode(checkpoint.root).decode(),
        objects=checked.objects,
        bytes=checked.bytes,
        damage=(*checked.damage, *_dangling(archive, entries)),
        refused=judged.refused,
        doubtful=tuple(Doubt(index=at, key=key) for at, key in doubtful(entries, judged.keys)),
    )


def witness_policies(entries: Iterable[ledger.Entry]) -> list[WitnessPolicy]:
    """Return the policies that say whose cosignatures the house asks for, the newest last.

    One that cannot be read asks for nobody's: it stays in the log, which must still verify.
    """
    found = []
    for entry in entries:
        text = entry.body.get("policy")
        if entry.type == WITNESSES_ADOPTED and isinstance(text, str):
            with suppress(BadInput):
                found.append(read_policy(text))
    return found


def _check_founding(archive: Archive, entries: list[ledger.Entry]) -> None:
    expected = hexadecimal(digest(archive.store.get("archive.json")))
    if not entries or entries[0].body.get("archive_json") != expected:
        raise BrokenLedger(why="archive.json is not the file that the first entry names")


def _dangling(archive: Archive, entries: list[ledger.Entry]) -> list[Damage]:
    """Return a damage for each reference to a record that is not kept."""
    kept: set[Digest] = set()
    for model in archive.models():
        kept |= set(archive.records(model).values())
    return [
        Damage(name=f"entry {index} ({entry.type})", found="no such record", expected=ref)
        for index, entry in enumerate(entries)
        for ref in entry.refs
        if ref not in kept and ref != digest(canonical(entry.body.get("policy")))
    ]
