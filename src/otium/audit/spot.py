"""Spot checks: leaves that nobody could foresee, drawn by a later checkpoint, and the verdict."""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import BinaryIO

from otium.audit.records import (
    MOST_SAMPLES,
    RATES,
    Challenge,
    Drawn,
    ModelVerdict,
    Outcome,
    chance,
    is_sha256,
    plain_text,
)
from otium.audit.seals import Seals
from otium.audit.trees import leaf_count, leaf_span, path_length
from otium.errors import AuditFailed, BadInput, BadProof, BadRecord
from otium.ledger import Checkpoint, check_inclusion, leaf_hash
from otium.records import Digest, Instant, ModelId, Part

MAGIC = "otium.response/1"
_HASH = 32
_LONGEST_HEAD = 4096


class Head(Part):
    """The first line of a response."""

    schema: str
    audit: Digest


class Stream:
    """Numbers that depend on a key alone: HMAC-SHA256 in counter mode, without bias."""

    def __init__(self, key: bytes, label: str) -> None:
        """Begin the stream of *key* for *label*."""
        self._key, self._label, self._count = key, label, 0

    def below(self, limit: int) -> int:
        """Return the next number from 0 up to, not with, *limit*; each is equally likely."""
        whole = 1 << 64
        while True:
            message = f"{self._label}\n{self._count}\n".encode()
            self._count += 1
            number = int.from_bytes(hmac.digest(self._key, message, "sha256")[:8])
            if number < whole - whole % limit:
                return number % limit


def challenge(
    seals: Seals,
    checkpoint: Checkpoint,
    *,
    custodian: str,
    beacon: str,
    samples: int,
    models: Sequence[ModelId] = (),
    made: Instant,
    deadline: Instant,
) -> Challenge:
    """Draw *samples* leaves from the packs in *seals*, which are those under *checkpoint*.

    Raises BadInput if there is nothing to draw from.
    """
    asked = Challenge(
        custodian=custodian,
        made=made,
        deadline=deadline,
        checkpoint=checkpoint.text,
        beacon=beacon,
        samples=samples,
        models=tuple(sorted(set(models))),
        drawn=(),
    )
    drawn = tuple(_drawn(seals, draws(asked, seals)))
    return Challenge.convert({**asked.plain(), "drawn": [one.plain() for one in drawn]})


def draws(asked: Challenge, seals: Seals) -> list[tuple[int, int]]:
    """Return the pack's number and the leaf of each draw, in order, repetitions among them.

    Raises BadInput if there is nothing to draw from, or for what no challenge may say.
    """
    if not 0 < asked.samples <= MOST_SAMPLES:
        raise BadInput(what=f"{asked.samples} samples", why=f"ask for 1 to {MOST_SAMPLES}")
    custodian = plain_text("the custodian", asked.custodian)
    beacon = plain_text("the beacon", asked.beacon)
    numbers = seals.chosen(asked.models)
    ends = list(accumulate(seals.packs[number].leaves for number in numbers))
    if not ends:
        raise BadInput(what="the challenge", why="nothing was sealed before its checkpoint")
    stream = Stream(_key(asked.checkpoint), f"{custodian}\n{beacon}")
    found = []
    for _ in range(asked.samples):
        place = stream.below(ends[-1])
        at = bisect_right(ends, place)
        found.append((numbers[at], place - (ends[at - 1] if at else 0)))
    return found


def _key(note: str) -> bytes:
    body = note.rpartition("\n\n")[0] + "\n"
    return hashlib.sha256(body.encode()).digest()


def _drawn(seals: Seals, found: Sequence[tuple[int, int]]) -> Iterator[Drawn]:
    leaves: dict[int, set[int]] = {}
    for number, leaf in found:
        leaves.setdefault(number, set()).add(leaf)
    for number in sorted(leaves):
        pack = seals.packs[number]
        asked = tuple(sorted(leaves[number]))
        yield Drawn(pack=pack.sha256, size=pack.size, root=pack.root, leaves=asked)


def check_shape(asked: Challenge) -> None:
    """Raise BadInput unless a challenge names packs and leaves that can be."""
    if sum(len(one.leaves) for one in asked.drawn) > MOST_SAMPLES or not asked.drawn:
        raise BadInput(what="the challenge", why=f"it asks for none, or over {MOST_SAMPLES} leaves")
    for one in asked.drawn:
        ascending = all(a < b for a, b in pairwise(one.leaves))
        within = one.leaves and one.leaves[0] >= 0 and one.leaves[-1] < leaf_count(one.size)
        if not (is_sha256(one.pack) and is_sha256(one.root) and ascending and within):
            raise BadInput(what="the challenge", why=f"pack {one.pack[:64]!r} does not fit")


def check_challenge(asked: Challenge, seals: Seals) -> list[tuple[int, int]]:
    """Return the draws if they are those of its checkpoint; raise AuditFailed if others."""
    found = draws(asked, seals)
    if tuple(_drawn(seals, found)) != asked.drawn:
        why = "its leaves are not those that its checkpoint and beacon draw"
        raise AuditFailed(audit=asked.digest(), why=why)
    return found


def judge(asked: Challenge, response: BinaryIO, seals: Seals) -> Outcome:
    """Read a response once and say for each model what it shows.

    *seals* are those under the challenge's checkpoint, and it is the caller who has shown that
    the log has that checkpoint. Raises AuditFailed if the challenge was not drawn, or the file
    is no response to it: such a file proves nothing, and is no answer.
    """
    found = check_challenge(asked, seals)
    reader = _Reader(response, asked.digest())
    wrong = [one.pack for one in asked.drawn if not _right(reader, one)]
    reader.end()
    failed = {seals.number(pack) for pack in wrong}
    counts = Counter(number for number, _ in found)
    return Outcome(
        audit=asked.digest(),
        kind="spot",
        custodian=asked.custodian,
        deadline=asked.deadline,
        response=reader.digest(),
        models=tuple(_verdicts(asked, seals, counts, failed)),
        failed=tuple(wrong),
    )


def _verdicts(
    asked: Challenge, seals: Seals, counts: Counter[int], failed: set[int | None]
) -> Iterator[ModelVerdict]:
    """Yield the verdict on each model on whose packs a draw fell; the others were not looked at."""
    for model in asked.models or sorted(seals.models):
        packs = seals.packs_of(model)
        samples = sum(counts[number] for number in packs)
        if samples:
            yield ModelVerdict(
                model=model,
                verdict="passed" if failed.isdisjoint(packs) else "failed",
                samples=samples,
                caught_at_1_percent=round(chance(samples, 0.01), 6),
            )


def chances(samples: int) -> dict[float, float]:
    """Return for each share of lost bytes in RATES the chance that *samples* draws find it."""
    return {rate: chance(samples, rate) for rate in RATES}


def _right(reader: _Reader, asked: Drawn) -> bool:
    """Read all that the response says about one pack, and return whether each leaf is right."""
    leaves, right = leaf_count(asked.size), True
    for index in asked.leaves:
        if reader.take(1) != b"\x01":
            right = False
            continue
        leaf = reader.take(leaf_span(index, asked.size).length)
        path = [reader.take(_HASH) for _ in range(path_length(index, leaves))]
        right = leads(asked, index, leaf, path) and right
    return right


def leads(asked: Drawn, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Return whether *leaf* at *index* leads by *path* to the sealed root of its pack."""
    root = bytes.fromhex(asked.root)
    try:
        check_inclusion(leaf_hash(leaf), index, leaf_count(asked.size), path, root)
    except BadProof:
        return False
    return True


class _Reader:
    """A response, read once from the front, never more of it than there must be."""

    def __init__(self, file: BinaryIO, audit: Digest) -> None:
        self._file, self._audit, self._seen = file, audit, hashlib.sha256()
        line = file.readline(_LONGEST_HEAD)
        self._seen.update(line)
        try:
            head = Head.decode(line)
        except BadRecord as error:
            raise AuditFailed(audit=audit, why=f"the file is no response: {error}") from error
        if head != Head(schema=MAGIC, audit=audit) or line != head.encode() + b"\n":
            raise AuditFailed(audit=audit, why="the file answers another challenge")

    def take(self, length: int) -> bytes:
        """Return the next bytes; raise AuditFailed if the file ends before."""
        data = self._file.read(length)
        self._seen.update(data)
        if len(data) != length:
            raise AuditFailed(audit=self._audit, why="the response is cut short")
        return data

    def end(self) -> None:
        """Raise AuditFailed unless the file ends here."""
        if self._file.read(1):
            raise AuditFailed(audit=self._audit, why="the response is longer than it must be")

    def digest(self) -> Digest:
        """Return the SHA-256 of what was read."""
        return Digest("sha256:" + self._seen.hexdigest())
