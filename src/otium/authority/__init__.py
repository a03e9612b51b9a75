"""Authority: who may say what in a log, and who said it.

Knows the roles, the keys that hold them, how a key is granted and revoked by entries, and which
entries were signed as they must be. Does not know what an entry means for a model.
Writes signatures on entries and under statements. The format is `docs/formats/roles-1.md`.

>>> from otium.ledger import Entry
>>> keys = Keyring.generate()
>>> roots, grants = keys.founders()
>>> judge = Judge("house.example/log")
>>> now = "2026-11-22T00:00:00Z"
>>> entry = Entry(
...     type="archive.created", time=now, actor="root", subject="house", body={"root": roots}
... )
>>> judge.judge(entry)
'not signed'
>>> authorised([keys.sign(entry, judge, now)], "house.example/log").has_roles
True
"""

from otium.authority.journal import Journal
from otium.authority.judge import Judge, authorised, doubtful
from otium.authority.keyring import Keyring
from otium.authority.records import Judgement, KeyStanding, Refusal
from otium.authority.roles import ROLES, Role, actor_for, is_named, keys_needed, makers
from otium.authority.signing import Signature, fault, sign_statement, signed_bytes

__all__ = [
    "ROLES",
    "Journal",
    "Judge",
    "Judgement",
    "KeyStanding",
    "Keyring",
    "Refusal",
    "Role",
    "Signature",
    "actor_for",
    "authorised",
    "doubtful",
    "fault",
    "is_named",
    "keys_needed",
    "makers",
    "sign_statement",
    "signed_bytes",
]
