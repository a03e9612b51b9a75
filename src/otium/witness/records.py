"""What a witness is asked, remembers and says.

The body of a request is that of C2SP's ``tlog-witness`` (add-checkpoint).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from otium.errors import BadInput, BadNote
from otium.notes import LARGEST, decode64, encode64
from otium.records import Instant, Part

ADD = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
LONGEST_BODY = 1 << 16
_BODY = re.compile(
    r"old (0|[1-9][0-9]{0,18})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.+)", re.ASCII | re.DOTALL
)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class Seen(Part):
    """The newest tree of a log that a witness has cosigned."""

    size: int
    root: bytes
    note: str
    """The checkpoint with the log's own signatures."""
    cosignatures: str
    """The witness's lines."""
    time: Instant
    """When it cosigned."""


class Fork(Part):
    """Two checkpoints of one log, both signed by it, that cannot both be true."""

    origin: str
    size: int
    time: Instant
    """When the second was refused."""
    cosigned: str
    refused: str


class Answer(NamedTuple):
    """What a witness answers to a request."""

    status: int
    """An HTTP status."""
    body: str
    kind: str = "text/plain; charset=utf-8"


class WitnessAnswer(Part):
    """What came of asking one witness."""

    witness: str
    """Its names in the policy."""
    url: str
    why: str = ""
    """Why it did not cosign; empty if it did."""


class Asked(Part):
    """What came of asking the witnesses of a policy."""

    origin: str
    size: int
    answers: tuple[WitnessAnswer, ...]
    met: bool
    """Whether the quorum cosigned."""
    kept: str = ""
    """Where the witnessed checkpoint is kept; empty if the quorum was not met."""

    def __str__(self) -> str:
        """Return a line for each witness, and the outcome."""
        lines = [
            f"{one.witness}: {one.why or f'cosigned size {self.size}'}" for one in self.answers
        ]
        return "\n".join([*lines, f"quorum {'met' if self.met else 'NOT met'}"])


class Mirrored(Part):
    """What came of mirroring a log."""

    origin: str
    old: int
    """How many entries the mirror had."""
    size: int
    """How many it has."""
    fetched: int
    """How many bytes came from the source."""
    kept: str = ""
    """Where the mirror's own cosignature is kept, if it makes any."""

    def __str__(self) -> str:
        """Return one line for a person."""
        read = f"{self.fetched:,} bytes read"
        return f"{self.origin}: {self.old} entries before, {self.size} now, {read}"


class Submission(NamedTuple):
    """A checkpoint, with the proof that it continues the tree of *old* entries."""

    old: int
    proof: tuple[bytes, ...]
    note: str


def read_submission(body: bytes) -> Submission:
    """Return what a request asks, or raise BadInput for one that is not exactly as it must be."""
    try:
        found = _BODY.fullmatch(body.decode())
        if found is None or int(found[1]) > LARGEST:
            why = "it is not an old size, at most 63 hashes, a blank line and a checkpoint"
            raise BadInput(what="the request", why=why)
        proof = tuple(decode64(line) for line in found[2].splitlines())
    except (UnicodeDecodeError, BadNote) as error:
        raise BadInput(what="the request", why=error) from error
    return Submission(int(found[1]), proof, found[3])


def write_submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """Return the body that asks a witness to cosign the checkpoint *note*."""
    hashes = "".join(f"{encode64(part)}\n" for part in proof)
    return f"old {old}\n{hashes}\n{note}".encode()


def read_size(body: bytes) -> int | None:
    """Return the tree size in the body of a 409 answer, or None if it is not one."""
    found = _SIZE.fullmatch(body)
    return None if found is None else int(found[1])
