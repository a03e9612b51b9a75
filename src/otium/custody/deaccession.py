"""Deaccession: how weights may leave an archive from which nothing is ever deleted.

A proposal says why and what would be freed, and waits. When the time is over, and two have
agreed, a record marks the model as deaccessioned and lists the files that nothing else needs.
Only a person removes them, from each copy. The records about the model stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.archive import DEACCESSION, Archive, Index, pack_name, recipe_name
from otium.custody.sheet import sheets
from otium.custody.stats import Kept, kept
from otium.errors import (
    BadInput,
    BadRecord,
    CannotDeaccession,
    HasDescendants,
    NotFound,
    StillWaiting,
)
from otium.records import (
    Actor,
    Digest,
    Instant,
    Json,
    ModelId,
    Part,
    Record,
    digest,
    later,
)

WAIT_DAYS = 90
_PERSONS = 2


class Freed(Part):
    """A file that nothing else needs."""

    name: str
    sha256: str
    bytes: int


class Proposal(Record, tag="otium.deaccession-proposal/1"):
    """That a model's weights should leave the archive."""

    model: ModelId
    manifest: Digest
    reason: str
    proposed: Instant
    earliest: Instant
    """Before which it is not carried out."""
    frees: tuple[Freed, ...]
    """As things are; it is found out again then."""
    bytes: int


class Deaccession(Record, tag="otium.deaccession/1"):
    """That a model was deaccessioned, and which files may be removed from every copy."""

    model: ModelId
    manifest: Digest
    proposal: Digest
    reason: str
    carried_out: Instant
    approved: tuple[Actor, ...]
    remove: tuple[Freed, ...]
    """Indexes, recipes, parity and packs, to be removed in this order."""
    bytes: int


def propose(
    archive: Archive, model: ModelId, reason: str, *, now: Instant, wait_days: float = WAIT_DAYS
) -> Proposal:
    """Return a proposal to deaccession *model*; nothing is written.

    Raises UnknownModel, UnknownRecord if nothing was deposited, BadInput without a reason,
    HasDescendants for a base that others are coded against, CannotDeaccession if it was done.
    """
    if not reason.strip():
        raise BadInput(what="a deaccession", why="it needs a reason")
    manifest = digest(archive.record(model, "manifest.json"))
    if DEACCESSION in archive.records(model):
        raise CannotDeaccession(model=model, why="it is deaccessioned already")
    frees = tuple(_frees(archive, model))
    return Proposal(
        model=model,
        manifest=manifest,
        reason=reason,
        proposed=now,
        earliest=later(now, days=wait_days),
        frees=frees,
        bytes=sum(one.bytes for one in frees),
    )


def due(proposal: Proposal, now: Instant) -> bool:
    """Return whether the waiting time of *proposal* is over."""
    return now >= proposal.earliest


def carry_out(
    archive: Archive, proposal: Proposal, *, now: Instant, approved: Sequence[Actor]
) -> Deaccession:
    """Mark the model as deaccessioned and return what may be removed; itself removes nothing.

    The record is written once; the same call again returns it. Raises StillWaiting,
    HasDescendants, BadInput unless two different actors approved, CannotDeaccession if the
    model's manifest is not the one that the proposal was about.
    """
    model = proposal.model
    if DEACCESSION in archive.records(model):
        done = Deaccession.decode(archive.record(model, DEACCESSION))
        if done.proposal != proposal.digest():
            raise CannotDeaccession(model=model, why="it was deaccessioned by another proposal")
        return done
    if not due(proposal, now):
        raise StillWaiting(model=model, earliest=proposal.earliest, now=now)
    if len(set(approved)) < _PERSONS:
        raise BadInput(what="a deaccession", why="two different actors must approve it")
    if digest(archive.record(model, "manifest.json")) != proposal.manifest:
        raise CannotDeaccession(model=model, why="its manifest is not the one in the proposal")
    remove = tuple(_frees(archive, model))
    record = Deaccession(
        model=model,
        manifest=proposal.manifest,
        proposal=proposal.digest(),
        reason=proposal.reason,
        carried_out=now,
        approved=tuple(approved),
        remove=remove,
        bytes=sum(one.bytes for one in remove),
    )
    message = "Deaccession"
    archive.put_record(model, DEACCESSION, record.encode(), now=now, message=message)
    return record


def removable(archive: Archive, record: Deaccession) -> list[Freed]:
    """Return which files of a removal list nothing needs now, in the order of their removal.

    A deposit after the list was made may rest on its files. So ask again just before anything
    is removed, while no deposit runs. Raises DamagedObject: then nothing may be removed.
    """
    needed = set(_needed(kept(archive)))
    again = any(one.name in needed for one in record.remove)
    return [
        one
        for one in record.remove
        if one.name not in needed
        and _pack_of(archive, one.name) not in needed
        and not (again and one.name.startswith("parity/"))
    ]


def entry_body(record: Proposal | Deaccession) -> dict[str, Json]:
    """Return what the ledger says of a proposal or a deaccession; its ``refs`` name *record*."""
    body: dict[str, Json] = {
        "reason": record.reason,
        "manifest": record.manifest,
        "bytes": record.bytes,
    }
    if isinstance(record, Proposal):
        return {**body, "earliest": record.earliest, "files": len(record.frees)}
    approved: list[Json] = list(record.approved)
    return {
        **body,
        "approved": approved,
        "files": len(record.remove),
        "proposal": record.proposal,
    }


def _frees(archive: Archive, model: ModelId) -> Iterator[Freed]:
    """Yield the files that only *model* needs; raise HasDescendants."""
    ours: list[Kept] = []
    others: list[Kept] = []
    for one in kept(archive):
        (ours if one.model == model else others).append(one)
    _check_descendants(model, ours, others)
    needed = set(_needed(others))
    names = [name for name in _needed(ours) if name not in needed]
    packs = {name for name in names if name.startswith("packs/")}
    stored = [*archive.store.list("indexes/")]
    indexes = [name for name in stored if _pack_of(archive, name) in packs]
    parity = [
        sheet.name
        for sheet in sheets(archive.store)
        if {pack_name(member.sha256) for member in sheet.group.packs} <= packs
    ]
    recipes = sorted(set(names) - packs)
    for name in [*indexes, *recipes, *parity, *sorted(packs)]:
        sha256 = name.rpartition("/")[2].partition(".")[0]
        yield Freed(name=name, sha256=sha256, bytes=archive.store.size(name))


def _needed(files: Sequence[Kept] | Iterator[Kept]) -> Iterator[str]:
    """Yield the recipes and packs that files rest on."""
    for one in files:
        yield recipe_name(one.file.recipe)
        yield from {pack_name(piece.pack) for piece in one.recipe.pieces}


def _pack_of(archive: Archive, name: str) -> str:
    """Return the pack that an index is of, an empty string for what is no index."""
    if not name.startswith("indexes/"):
        return ""
    try:
        return pack_name(Index.decode(archive.store.get(name)).pack)
    except (BadRecord, NotFound):
        return ""


def _check_descendants(model: ModelId, ours: Sequence[Kept], others: Sequence[Kept]) -> None:
    """Raise HasDescendants if a model is coded against pieces of *model*.

    A model that merely has the same piece has it in its own right.
    """
    pieces = {
        one.recipe.pieces[number].sha256: one.recipe.pieces[number].pack
        for one in ours
        for number in one.recipe.order
    }
    descendants: dict[ModelId, set[str]] = {}
    own: dict[ModelId, set[str]] = {}
    for one in others:
        ordered = {one.recipe.pieces[number].sha256 for number in one.recipe.order}
        own.setdefault(one.model, set()).update(ordered)
    for one in others:
        for piece in one.recipe.pieces:
            if piece.sha256 in pieces and piece.sha256 not in own[one.model]:
                descendants.setdefault(one.model, set()).add(pack_name(piece.pack))
    if descendants:
        packs = sorted(set().union(*descendants.values()))
        raise HasDescendants(
            model=model, descendants=", ".join(sorted(descendants)), packs=", ".join(packs)
        )
