"""The ledger: short claims in an append-only log, signed, provable, verified by anyone.

Knows entries, the Merkle tree, tiles, checkpoints, and proofs.
Does not know what an entry means, or whether what it says is true.
Writes the files under ``log/``. The format is `docs/formats/ledger-2.md`.

>>> from otium.notes import Signer
>>> from otium.store import LocalStore
>>> signer = Signer.generate("ledger.example/smol")
>>> ledger = Ledger.create(LocalStore(tmp_path), signer, origin=signer.name)
>>> entry = Entry(
...     type="heartbeat", time="2026-11-22T00:00:00Z", actor="steward", subject="smol"
... )
>>> ledger.append(entry)
[0]
>>> check_proof(ledger.prove(0), entry.encode(), signer.vkeys).index
0
>>> verify(LocalStore(tmp_path), signer.vkeys).size
1
"""

from otium.ledger.checkpoint import Checkpoint, Proof, check_proof, read_checkpoint
from otium.ledger.commitment import check_commitment, commit
from otium.ledger.entry import Entry, EntrySignature, read_entry
from otium.ledger.log import Ledger
from otium.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    frontier_root,
    leaf_hash,
)
from otium.ledger.tiles import (
    WIDTH,
    Growth,
    Tile,
    edge_of,
    grow,
    split_hashes,
    tiles_of,
    unbundle,
)
from otium.ledger.verify import load_leaves, verify
from otium.ledger.witnessed import lies_beyond

__all__ = [
    "EMPTY_ROOT",
    "WIDTH",
    "Checkpoint",
    "Entry",
    "EntrySignature",
    "Frontier",
    "Growth",
    "Ledger",
    "Proof",
    "Tile",
    "check_commitment",
    "check_consistency",
    "check_inclusion",
    "check_proof",
    "commit",
    "edge_of",
    "frontier_root",
    "grow",
    "leaf_hash",
    "lies_beyond",
    "load_leaves",
    "read_checkpoint",
    "read_entry",
    "split_hashes",
    "tiles_of",
    "unbundle",
    "verify",
]
