r"""Signed notes: texts, the keys that sign them, and the policies that say whom to believe.

Knows C2SP's signed-note, tlog-cosignature and tlog-policy, and how keys are kept in files.
Does not know logs, or what a text means beyond the three lines of a checkpoint.
Writes key files. The formats are in `docs/formats/ledger-2.md`.

>>> signer, witness = Signer.generate("log.example/a"), Cosigner.generate("witness.example/w")
>>> text = TreeHead("log.example/a", 0, bytes(32)).text
>>> note = signer.sign(text) + witness.cosign(text, "2026-11-22T00:00:00Z")
>>> opened = open_note(note, [*signer.vkeys, *witness.vkeys], strict=True)
>>> [signature.key.name for signature in opened.signatures]
['log.example/a', 'log.example/a', 'witness.example/w', 'witness.example/w']
>>> policy = read_policy(f"witness W {witness.vkeys[0]}\nquorum W\n")
>>> policy.met_by(opened.signers)
True
"""

from otium.notes.encoding import decode64, encode64
from otium.notes.head import LARGEST, TreeHead, read_head
from otium.notes.keys import COSIGNATURE, ED25519, MLDSA44, VerifierKey
from otium.notes.note import NoteSignature, OpenedNote, lines_of, open_note, split_note
from otium.notes.policy import (
    NONE,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    WitnessPolicy,
    read_policy,
)
from otium.notes.signer import Cosigner, RoleKey, Signer

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "LARGEST",
    "MLDSA44",
    "NONE",
    "Cosigner",
    "NoteSignature",
    "OpenedNote",
    "PolicyGroup",
    "PolicyLog",
    "PolicyWitness",
    "RoleKey",
    "Signer",
    "TreeHead",
    "VerifierKey",
    "WitnessPolicy",
    "decode64",
    "encode64",
    "lines_of",
    "open_note",
    "read_head",
    "read_policy",
    "split_note",
]
