"""A witness: it cosigns each tree of a log that continues the one it cosigned before.

The protocol is C2SP's ``tlog-witness``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from otium.errors import BadInput, BadNote, BadProof, NoSigningKey
from otium.ledger import check_consistency
from otium.notes import (
    Cosigner,
    OpenedNote,
    TreeHead,
    VerifierKey,
    lines_of,
    open_note,
    read_head,
    split_note,
)
from otium.records import Clock, Instant, SystemClock
from otium.witness.records import SIZE_TYPE, Answer, Fork, Seen, Submission, read_submission

if TYPE_CHECKING:
    from otium.witness.state import State, Turn

KEY = "witness.key"
DATABASE = "witness.sqlite"
_NEVER = Seen(
    size=0,
    root=hashlib.sha256().digest(),
    note="",
    cosignatures="",
    time=Instant("0001-01-01T00:00:00Z"),
)
"""What is known of a log of which nothing was cosigned: it began empty."""


class Witness:
    """The judgement of a witness, over what it remembers. Safe to use from several threads."""

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Mapping[str, Sequence[str]],
        state: State,
        clock: Clock | None = None,
    ) -> None:
        """Cosign the *logs*, given as verifier keys by origin; any one key of a log will do."""
        self._cosigner = cosigner
        self._state = state
        self._clock = clock or SystemClock()
        self.logs = {origin: tuple(vkeys) for origin, vkeys in logs.items()}
        for vkey in (vkey for vkeys in self.logs.values() for vkey in vkeys):
            VerifierKey.parse(vkey)

    @property
    def name(self) -> str:
        """The name that it cosigns under."""
        return self._cosigner.name

    @property
    def vkeys(self) -> tuple[str, ...]:
        """Its verifier keys."""
        return self._cosigner.vkeys

    def add(self, body: bytes) -> Answer:
        """Judge an ``add-checkpoint`` request; a 200 is on the disk before it is returned."""
        try:
            asked = read_submission(body)
            head = read_head(split_note(asked.note)[0])
        except (BadInput, BadNote) as error:
            return _say(400, str(error))
        vkeys = self.logs.get(head.origin)
        if vkeys is None:
            return _say(404, "This log is not known here.")
        try:
            opened = open_note(asked.note, vkeys)
        except BadNote as error:
            return _say(403, str(error))
        if asked.old > head.size:
            return _say(400, "The old size is larger than the checkpoint's.")
        with self._state.turn() as turn:
            return self._decide(turn, asked, head, opened)

    def checkpoint(self, origin_sha256: str) -> str | None:
        """Return the newest cosigned checkpoint of the log whose origin has this SHA-256.

        None if the log is not known or was never cosigned.
        """
        for origin, seen in self._state.latest():
            if hashlib.sha256(origin.encode()).hexdigest() == origin_sha256:
                return seen.note + seen.cosignatures
        return None

    def sizes(self) -> dict[str, int | None]:
        """Return each log that is cosigned with the size of its newest tree."""
        seen = {origin: seen.size for origin, seen in self._state.latest()}
        return {origin: seen.get(origin) for origin in self.logs}

    def forks(self) -> list[Fork]:
        """Return the proofs, if any, that a log showed two trees of one size."""
        return self._state.forks()

    def close(self) -> None:
        """Let go of the database."""
        self._state.close()

    def _decide(self, turn: Turn, asked: Submission, head: TreeHead, opened: OpenedNote) -> Answer:
        """Compare with what was cosigned, and keep what is cosigned now, in one turn."""
        last = turn.latest(head.origin) or _NEVER
        # The clock may be set back; what a cosigner says of a time must not.
        now = max(self._clock.now(), last.time)
        note = f"{opened.text}\n{lines_of(opened.signatures)}"
        differs = head.size == last.size and head.root != last.root
        if differs and last is not _NEVER:
            cosigned = last.note + last.cosignatures
            fork = Fork(
                origin=head.origin, size=head.size, time=now, cosigned=cosigned, refused=note
            )
            turn.accuse(fork)
        if asked.old != last.size:
            return Answer(409, f"{last.size}\n", SIZE_TYPE)
        if differs:
            return _say(409, "Another tree of this size was cosigned here.")
        try:
            check_consistency(last.size, head.size, last.root, head.root, asked.proof)
        except BadProof as error:
            return _say(422, str(error))
        lines = self._cosigner.cosign(opened.text, now)
        turn.keep(
            head.origin,
            Seen(size=head.size, root=head.root, note=note, cosignatures=lines, time=now),
        )
        return Answer(200, lines)


def known_logs(vkeys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return *vkeys* by their name, which is the origin of their log unless it says otherwise."""
    logs: dict[str, tuple[str, ...]] = {}
    for vkey in vkeys:
        name = VerifierKey.parse(vkey).name
        logs[name] = (*logs.get(name, ()), vkey)
    return logs


def open_witness(
    folder: Path,
    logs: Mapping[str, Sequence[str]],
    *,
    name: str | None = None,
    clock: Clock | None = None,
) -> Witness:
    """Open the witness that keeps its key and memory in *folder*; with *name*, begin it.

    Raises NoSigningKey if it was not begun, BadInput if it has another name.
    """
    from otium.witness.state import State

    path = folder / KEY
    if name is not None and not path.exists():
        if (folder / DATABASE).exists():
            raise NoSigningKey(path=path)
        Cosigner.generate(name).save(path)
    cosigner = Cosigner.load(path)
    if name not in {None, cosigner.name}:
        raise BadInput(what=f"the witness {name}", why=f"{folder} is that of {cosigner.name}")
    return Witness(cosigner, logs, State(folder / DATABASE), clock)


def _say(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n")
