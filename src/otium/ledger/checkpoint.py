"""What a log says of itself: the checkpoint, and the proof that an entry stands in it.

The texts are C2SP's ``tlog-checkpoint`` and ``tlog-proof``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from otium.errors import BadNote, BadProof
from otium.ledger.merkle import check_inclusion, leaf_hash
from otium.ledger.note import Signer, decode64, encode64, open_note
from otium.records import Part

_DECIMAL = r"(0|[1-9]\d{0,18})"
_TEXT = re.compile(rf"([^\x00-\x1f]+)\n{_DECIMAL}\n([A-Za-z0-9+/]{{43}}=)\n", re.ASCII)
_PROOF = re.compile(
    rf"c2sp\.org/tlog-proof@v1\nindex {_DECIMAL}\n((?:[A-Za-z0-9+/]{{43}}=\n)*)\n(.*)",
    re.ASCII | re.DOTALL,
)


class Checkpoint(Part):
    """The size and root of a log, signed by it."""

    origin: str
    size: int
    root: bytes
    text: str
    """The signed note, byte for byte."""


class Proof(Part):
    """That an entry stands at an index of the log under a checkpoint."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def sign_checkpoint(signer: Signer, origin: str, size: int, root: bytes) -> Checkpoint:
    """Sign *root* as that of the log *origin* at *size*."""
    text = signer.sign(f"{origin}\n{size}\n{encode64(root)}\n")
    return read_checkpoint(text, [signer.vkey])


def read_checkpoint(text: str, vkeys: Sequence[str]) -> Checkpoint:
    """Return the checkpoint in *text* if one of *vkeys* signed it, else raise BadNote."""
    found = _TEXT.fullmatch(open_note(text, vkeys))
    if found is None:
        raise BadNote(why="it is not a checkpoint: an origin, a size, a root")
    return Checkpoint(origin=found[1], size=int(found[2]), root=decode64(found[3]), text=text)


def write_proof(proof: Proof) -> str:
    """Return *proof* as a ``.tlog-proof`` text."""
    hashes = "".join(f"{encode64(part)}\n" for part in proof.path)
    return f"c2sp.org/tlog-proof@v1\nindex {proof.index}\n{hashes}\n{proof.checkpoint.text}"


def check_proof(text: str, entry: bytes, vkeys: Sequence[str]) -> Proof:
    """Return the proof in *text* if it shows that *entry* is in a log of *vkeys*.

    Raises BadNote if the checkpoint is not signed by one of them, BadProof for all else.
    """
    found = _PROOF.fullmatch(text)
    if found is None:
        raise BadProof(why="it is not a c2sp.org/tlog-proof@v1 without extra data")
    path = tuple(decode64(line) for line in found[2].splitlines())
    proof = Proof(index=int(found[1]), path=path, checkpoint=read_checkpoint(found[3], vkeys))
    point = proof.checkpoint
    check_inclusion(leaf_hash(entry), proof.index, point.size, path, point.root)
    return proof
