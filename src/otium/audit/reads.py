"""Full reads, sealed beforehand: keyed BLAKE3 of each pack, under keys that nobody knows yet.

The nonce is the key of the hash, never something after the bytes: then all bytes would have
to be read again, where a hash's state after the bytes would do for any ending.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Sequence
from typing import Literal

from blake3 import blake3

from otium.archive import pack_name
from otium.audit.records import (
    ModelVerdict,
    Outcome,
    Randomness,
    ReadChallenge,
    ReadResponse,
    SealedRead,
    SealedReads,
    Target,
    is_sha256,
    plain_text,
)
from otium.audit.seals import Seals
from otium.audit.trees import read_through
from otium.errors import AuditFailed, BadInput, BadRecord, CannotStore, DamagedObject, NotFound
from otium.ledger import Entry, commit
from otium.records import Digest, Instant, Part, Progress, digest, silent
from otium.store import Store

_BYTES = 32
MOST_READS = 400


class _Body(Part):
    """What the log says of sealed reads."""

    kind: Literal["read"]
    packs: Digest
    commitments: tuple[Digest, ...]


def seal_reads(
    store: Store,
    seals: Seals,
    *,
    count: int,
    randomness: Randomness,
    progress: Progress = silent,
) -> SealedReads:
    """Read every sealed pack once and return *count* challenges with their answers.

    Keep the result private, then log what commits to it. Raises DamagedObject for a pack that
    is not the one that was sealed.
    """
    if not 0 < count <= MOST_READS:
        raise BadInput(what=f"{count} full reads", why=f"seal 1 to {MOST_READS} at a time")
    packs = [seals.packs[number] for number in seals.chosen()]
    if not packs:
        raise BadInput(what="full reads", why="no pack is sealed yet: otium audit seal")
    nonces = [randomness(_BYTES) for _ in range(count)]
    answers: list[list[str]] = []
    total, done = sum(pack.size for pack in packs), 0
    for pack in packs:
        name, *found = keyed(store, Target(pack=pack.sha256, size=pack.size), nonces)
        if name != pack.sha256:
            raise DamagedObject(name=pack.name, found=name, expected=pack.sha256)
        answers.append(found)
        done += pack.size
        progress("reading", done, total)
    reads = tuple(
        SealedRead(nonce=nonce.hex(), salt=randomness(_BYTES).hex(), answers=given)
        for nonce, given in zip(nonces, zip(*answers, strict=True), strict=True)
    )
    return SealedReads(
        packs=tuple(Target(pack=pack.sha256, size=pack.size) for pack in packs), reads=reads
    )


def reads_body(sealed: SealedReads) -> dict[str, object]:
    """Return the body of the entry that commits to *sealed*; it tells nothing of it."""
    commitments = [commitment(one) for one in sealed.reads]
    return {"kind": "read", "packs": packs_digest(sealed.packs), "commitments": commitments}


def keyed(store: Store, target: Target, keys: Sequence[bytes]) -> list[str]:
    """Read a pack once; return its SHA-256 and its BLAKE3 under each key, hexadecimal."""
    whole, found = hashlib.sha256(), [blake3(key=key) for key in keys]
    for chunk in read_through(store, pack_name(target.pack), target.size):
        whole.update(chunk)
        for one in found:
            one.update(chunk)
    return [whole.hexdigest(), *(one.hexdigest() for one in found)]


def commitment(read: SealedRead) -> Digest:
    """Return what the log says about a sealed read: a commitment to its nonce and answers."""
    return commit(bytes.fromhex("".join((read.nonce, *read.answers))), bytes.fromhex(read.salt))


def packs_digest(packs: Sequence[Target]) -> Digest:
    """Return the digest that names a list of packs: of their SHA-256 values, joined."""
    return digest(bytes.fromhex("".join(one.pack for one in packs)))


def reads_challenge(
    sealed: SealedReads, used: Container[str], *, custodian: str, made: Instant, deadline: Instant
) -> ReadChallenge:
    """Return a challenge with the first nonce whose commitment was not *used* before."""
    for read in sealed.reads:
        if commitment(read) not in used:
            return ReadChallenge(
                custodian=plain_text("the custodian", custodian),
                made=made,
                deadline=deadline,
                commitment=commitment(read),
                nonce=read.nonce,
                packs=sealed.packs,
            )
    raise BadInput(what="the sealed reads", why="all were used; seal new ones")


def check_read_shape(asked: ReadChallenge) -> None:
    """Raise BadInput unless a full-read challenge has a nonce and packs that can be."""
    if not is_sha256(asked.nonce) or not all(is_sha256(one.pack) for one in asked.packs):
        raise BadInput(what="the challenge", why="its nonce or a pack is not 32 bytes")


def respond_to_read(
    asked: ReadChallenge, copy: Store, *, progress: Progress = silent
) -> ReadResponse:
    """Read every byte of the packs in *copy* and answer; a pack that is not there stays empty."""
    key, total, done = bytes.fromhex(asked.nonce), sum(one.size for one in asked.packs), 0
    answers = []
    for one in asked.packs:
        answers.append(_answer(copy, one, key))
        done += one.size
        progress("reading", done, total)
    return ReadResponse(audit=asked.digest(), answers=tuple(answers))


def _answer(copy: Store, target: Target, key: bytes) -> str:
    try:
        if copy.size(pack_name(target.pack)) != target.size:
            return ""
        return keyed(copy, target, [key])[1]
    except (NotFound, BadInput, CannotStore):
        return ""


def judge_read(
    asked: ReadChallenge,
    response: bytes,
    sealed: SealedReads,
    entries: Sequence[Entry],
    seals: Seals,
) -> Outcome:
    """Compare a response with what was sealed, and what was sealed with the log.

    Raises AuditFailed if the log does not commit to what was sealed, or the bytes are no
    response to this challenge.
    """
    read = _committed(asked, sealed, entries)
    given = _given(asked, response)
    failed = {
        one.pack
        for one, right, answer in zip(sealed.packs, read.answers, given.answers, strict=True)
        if answer != right
    }
    return Outcome(
        audit=asked.digest(),
        kind="read",
        custodian=asked.custodian,
        deadline=asked.deadline,
        response=digest(response),
        models=tuple(_verdicts(seals, {one.pack for one in sealed.packs}, failed)),
        failed=tuple(one.pack for one in sealed.packs if one.pack in failed),
    )


def _committed(asked: ReadChallenge, sealed: SealedReads, entries: Sequence[Entry]) -> SealedRead:
    """Return the sealed read that was asked, if it is the one to which the log commits."""
    for read in sealed.reads:
        if read.nonce == asked.nonce and commitment(read) == asked.commitment:
            break
    else:
        raise AuditFailed(
            audit=asked.digest(), why="its nonce is not one of those that were sealed"
        )
    named = packs_digest(sealed.packs)
    if asked.packs != sealed.packs or not any(
        asked.commitment in body.commitments and body.packs == named for body in _bodies(entries)
    ):
        why = "the log does not commit to this nonce and these packs"
        raise AuditFailed(audit=asked.digest(), why=why)
    return read


def _bodies(entries: Sequence[Entry]) -> Iterator[_Body]:
    for entry in entries:
        if entry.type == "audit.sealed":
            try:
                yield _Body.convert(entry.body)
            except BadRecord:
                continue


def _given(asked: ReadChallenge, response: bytes) -> ReadResponse:
    try:
        given = ReadResponse.decode(response)
    except BadRecord as error:
        raise AuditFailed(audit=asked.digest(), why=f"the file is no response: {error}") from error
    if given.audit != asked.digest() or len(given.answers) != len(asked.packs):
        raise AuditFailed(audit=asked.digest(), why="the file answers another challenge")
    return given


def _verdicts(seals: Seals, read: set[str], failed: set[str]) -> Iterator[ModelVerdict]:
    """Yield the verdict on each model all of whose packs were read."""
    for model in sorted(seals.models):
        packs = {seals.packs[number].sha256 for number in seals.packs_of(model)}
        if packs and packs <= read:
            yield ModelVerdict(
                model=model,
                verdict="passed" if failed.isdisjoint(packs) else "failed",
                samples=len(packs),
                caught_at_1_percent=1.0,
            )
