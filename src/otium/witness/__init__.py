"""Witnesses and mirrors: others who vouch that a log shows everybody one history.

Knows C2SP's tlog-witness from both sides, and how to copy a published log.
Does not know what the entries say, or whether it is true.
Writes a witness's memory (SQLite), and the copy of a mirror. See `docs/formats/witness-1.md`.

>>> import hashlib
>>> from otium.notes import Signer, TreeHead
>>> log = Signer.generate("log.example/a")
>>> witness = open_witness(tmp_path, known_logs(log.vkeys), name="witness.example/w")
>>> empty = TreeHead("log.example/a", 0, hashlib.sha256().digest())
>>> answer = witness.add(write_submission(0, [], log.sign(empty.text)))
>>> answer.status, answer.body.count("witness.example/w")
(200, 2)
>>> witness.close()
"""

from otium.witness.ask import ask, ask_witness
from otium.witness.mirror import mirror
from otium.witness.records import (
    Answer,
    Asked,
    Fork,
    Mirrored,
    WitnessAnswer,
    read_submission,
    write_submission,
)
from otium.witness.serving import background, serve
from otium.witness.witness import Witness, known_logs, open_witness

__all__ = [
    "Answer",
    "Asked",
    "Fork",
    "Mirrored",
    "Witness",
    "WitnessAnswer",
    "ask",
    "ask_witness",
    "background",
    "known_logs",
    "mirror",
    "open_witness",
    "read_submission",
    "serve",
    "write_submission",
]
