"""The ledger: short claims in an append-only log, signed, provable, verified by anyone.

Knows entries, the Merkle tree, tiles, checkpoints, proofs and Ed25519 keys.
Does not know what an entry means, or whether what it says is true.
Writes the files under ``log/``. The format is `docs/formats/ledger-1.md`.

>>> from otium.store import LocalStore
>>> signer = Signer.generate("ledger.example/smol")
>>> ledger = Ledger.create(LocalStore(tmp_path), signer, origin=signer.name)
>>> entry = Entry(
...     type="heartbeat", time="2026-11-22T00:00:00Z", actor="steward", subject="smol"
... )
>>> ledger.append(entry)
[0]
>>> check_proof(ledger.prove(0), entry.encode(), [signer.vkey]).index
0
>>> verify(LocalStore(tmp_path), [signer.vkey]).size
1
"""

from otium.ledger.checkpoint import Checkpoint, Proof, check_proof, read_checkpoint
from otium.ledger.entry import Entry, read_entry
from otium.ledger.log import Ledger
from otium.ledger.merkle import check_consistency
from otium.ledger.note import Signer
from otium.ledger.verify import verify

__all__ = [
    "Checkpoint",
    "Entry",
    "Ledger",
    "Proof",
    "Signer",
    "check_consistency",
    "check_proof",
    "read_checkpoint",
    "read_entry",
    "verify",
]
