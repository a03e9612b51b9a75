"""Upkeep: what a timer, an auditor and a witness bring about in a home.

Knows what is due and can be done without a person, audits step by step, and who vouches for the
log. Does not know how any of it is computed, nor how it is shown. Writes what the rooms that it
calls write, each thing once.

>>> from otium.workflow import founded
>>> with founded(tmp_path / "home", archive_id="example") as home:
...     list(attest(home))
[]
"""

from otium.upkeep import auditing
from otium.upkeep.doctor import Finding, examine
from otium.upkeep.private import (
    Document,
    commit_document,
    confirm_document,
    documents,
    erase_document,
    reveal_document,
)
from otium.upkeep.telling import Told, tell_users, undelivered
from otium.upkeep.tick import CUSTODIANS, Failure, Ticked, tick
from otium.upkeep.witnessing import adopt_witnesses, ask_witnesses, attest, stamp_log, stamps

__all__ = [
    "CUSTODIANS",
    "Document",
    "Failure",
    "Finding",
    "Ticked",
    "Told",
    "adopt_witnesses",
    "ask_witnesses",
    "attest",
    "auditing",
    "commit_document",
    "confirm_document",
    "documents",
    "erase_document",
    "examine",
    "reveal_document",
    "stamp_log",
    "stamps",
    "tell_users",
    "tick",
    "undelivered",
]
