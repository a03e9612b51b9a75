"""Admission: who may ask which model, how, how much and how fast.

Knows keys (scope, expiry, revocation, rotation), reserves and settles what a request takes of
its key's budgets and rates, and keeps the audit log. Works for several gateways on one database.
Does not know what is asked, how a model answers, or why somebody was given a key.
Writes rows in SQLite or PostgreSQL: hashes of secrets and counts, never what was said. The page
is `docs/reference/admission.md`.

>>> with Admission(f"sqlite:///{tmp_path}/state.sqlite") as admission:
...     now = "2026-11-26T00:00:00Z"
...     made = admission.keys.create("a lab", Scope(models=("smol-*",)), now=now)
...     admission.refresh()
...     caller = admission.enter(made.secret, model="smol-1", now=0.0, tokens=20)
...     admission.settle(caller, tokens_in=5, tokens_out=7)
>>> caller.id == made.key.id, made.secret.startswith(f"otium_{caller.id}_")
(True, True)
"""

from otium.admission.admission import Admission, Caller, Terms
from otium.admission.audit import forget_lines, read_lines, write_lines
from otium.admission.keys import Keys, forget_owner, insert_key, open_keys, planned, revoke_key
from otium.admission.records import (
    RETIRED,
    VERBS,
    Issued,
    Key,
    Line,
    Scope,
    Verb,
    check_scope,
)

__all__ = [
    "RETIRED",
    "VERBS",
    "Admission",
    "Caller",
    "Issued",
    "Key",
    "Keys",
    "Line",
    "Scope",
    "Terms",
    "Verb",
    "check_scope",
    "forget_lines",
    "forget_owner",
    "insert_key",
    "open_keys",
    "planned",
    "read_lines",
    "revoke_key",
    "write_lines",
]
