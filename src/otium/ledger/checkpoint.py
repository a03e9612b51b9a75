"""What a log says of itself: the checkpoint, and the proof that an entry stands in it.

The texts are C2SP's ``tlog-checkpoint`` and ``tlog-proof``. A log of our own is read strictly:
no byte of its checkpoint can change unnoticed. The checkpoint in a proof is read as C2SP asks.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from otium.errors import BadNote, BadProof
from otium.ledger.merkle import check_inclusion, leaf_hash
from otium.notes import (
    NoteSignature,
    OpenedNote,
    Signer,
    TreeHead,
    WitnessPolicy,
    decode64,
    encode64,
    open_note,
    read_head,
)
from otium.records import Part

_PROOF = re.compile(
    r"c2sp\.org/tlog-proof@v1\n(?:extra ([A-Za-z0-9+/]*={0,2})\n)?index (0|[1-9][0-9]{0,18})\n"
    r"((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)",
    re.DOTALL,
)


class Checkpoint(Part):
    """The size and root of a log, signed by it."""

    origin: str
    size: int
    root: bytes
    text: str
    """The signed note, byte for byte."""
    signatures: tuple[NoteSignature, ...] = ()
    """Those of the log's keys."""
    cosignatures: tuple[NoteSignature, ...] = ()
    """Those of the witnesses that were asked for."""

    @property
    def body(self) -> str:
        """The text that is signed, up to the blank line."""
        return self.text.rpartition("\n\n")[0] + "\n"


class Proof(Part):
    """That an entry stands at an index of the log under a checkpoint."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint
    extra: bytes | None = None
    """What came with it; nothing vouches for it."""


def sign_checkpoint(signer: Signer, origin: str, size: int, root: bytes) -> Checkpoint:
    """Sign *root* as that of the log *origin* at *size*."""
    return read_own(signer.sign(TreeHead(origin, size, root).text), signer.vkeys)


def read_checkpoint(text: str, vkeys: Sequence[str], witnesses: Sequence[str] = ()) -> Checkpoint:
    """Return the checkpoint in *text* if one of *vkeys* signed it, else raise BadNote.

    A signature of these keys, or of *witnesses*, that is wrong is refused; lines of other keys
    are passed over, as C2SP asks.
    """
    return _checkpoint(open_note(text, [*vkeys, *witnesses]), text, vkeys)


def read_own(text: str, vkeys: Sequence[str]) -> Checkpoint:
    """Return the checkpoint in *text* if it has a line of each of *vkeys* and nothing more."""
    return _read_own(text, tuple(vkeys))


@functools.lru_cache(16)  # a house reads its newest checkpoint at every step
def _read_own(text: str, vkeys: tuple[str, ...]) -> Checkpoint:
    return _own(open_note(text, vkeys, strict=True), text, vkeys)


def read_witnessed(
    text: str, vkeys: Sequence[str], policies: Sequence[WitnessPolicy] = ()
) -> Checkpoint:
    """Return the cosigned checkpoint in *text*, which each of *vkeys* signed, or raise BadNote.

    If there are *policies*, it must have lines of the witnesses of one of them only, and they
    must make up its quorum.
    """
    if not policies:
        opened = open_note(text, vkeys)
        if not opened.unknown:
            raise BadNote(why="it has no cosignature")
        return _own(opened, text, vkeys)
    faults: list[BadNote] = []
    for policy in policies:
        try:
            return _of_quorum(text, vkeys, policy)
        except BadNote as fault:
            faults.append(fault)
    raise faults[0]


def write_proof(proof: Proof) -> str:
    """Return *proof* as a ``.tlog-proof`` text."""
    extra = "" if proof.extra is None else f"extra {encode64(proof.extra)}\n"
    hashes = "".join(f"{encode64(part)}\n" for part in proof.path)
    head = f"c2sp.org/tlog-proof@v1\n{extra}index {proof.index}\n"
    return f"{head}{hashes}\n{proof.checkpoint.text}"


def read_proof(text: str, vkeys: Sequence[str], witnesses: Sequence[str] = ()) -> Proof:
    """Return the proof in *text*, its checkpoint verified and its path not; raise BadProof."""
    found = _PROOF.fullmatch(text)
    if found is None:
        raise BadProof(why="it is not a c2sp.org/tlog-proof@v1")
    return Proof(
        index=int(found[2]),
        path=tuple(decode64(line) for line in found[3].splitlines()),
        checkpoint=read_checkpoint(found[4], vkeys, witnesses),
        extra=None if found[1] is None else decode64(found[1]),
    )


def check_proof(
    text: str, entry: bytes, vkeys: Sequence[str], policy: WitnessPolicy | None = None
) -> Proof:
    """Return the proof in *text* if it shows that *entry* is in a log of *vkeys*.

    With a *policy* its checkpoint must be cosigned by the quorum and, if the policy lists logs,
    be of one of them. Raises BadNote if the checkpoint is not signed as it must be, BadProof
    for all else.
    """
    proof = read_proof(text, vkeys, policy.vkeys if policy else ())
    point = proof.checkpoint
    if policy is not None:
        _check_policy(point, policy)
    check_inclusion(leaf_hash(entry), proof.index, point.size, proof.path, point.root)
    return proof


def meets(point: Checkpoint, policy: WitnessPolicy) -> bool:
    """Return whether the cosignatures of *point* make up the quorum of *policy*."""
    return policy.met_by({signature.key.vkey for signature in point.cosignatures})


def _check_policy(point: Checkpoint, policy: WitnessPolicy) -> None:
    if not meets(point, policy):
        raise BadProof(why="the witnesses that cosigned its checkpoint are no quorum")
    known = {log.vkey for log in policy.logs}
    signed = {it.key.vkey for it in point.signatures if it.key.name == point.origin}
    if known and not known & signed:
        raise BadProof(why=f"{point.origin} is not one of the logs of the policy")


def _of_quorum(text: str, vkeys: Sequence[str], policy: WitnessPolicy) -> Checkpoint:
    opened = open_note(text, [*vkeys, *policy.vkeys], strict=True)
    point = _own(opened, text, vkeys)
    if not policy.met_by(opened.signers):
        raise BadNote(why="the witnesses that cosigned it are no quorum")
    return point


def _own(opened: OpenedNote, text: str, vkeys: Sequence[str]) -> Checkpoint:
    """Return the checkpoint of a log of our own, which all of its keys signed once."""
    if read_head(opened.text).extensions:
        raise BadNote(why="it has lines after the root")
    point = _checkpoint(opened, text, vkeys)
    if sorted(it.key.vkey for it in point.signatures) != sorted(vkeys):
        raise BadNote(why="not every key of the log signed it, once")
    return point


def _checkpoint(opened: OpenedNote, text: str, vkeys: Sequence[str]) -> Checkpoint:
    head, known = read_head(opened.text), set(vkeys)
    signatures = tuple(it for it in opened.signatures if it.key.vkey in known)
    if not signatures:
        raise BadNote(why="none of the log's keys signed it")
    return Checkpoint(
        origin=head.origin,
        size=head.size,
        root=head.root,
        text=text,
        signatures=signatures,
        cosignatures=tuple(it for it in opened.signatures if it.key.vkey not in known),
    )
