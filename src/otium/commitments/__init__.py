"""Commitments: what an organisation promises about its models, and how each promise stands.

Knows policies as data, who adopted which and when, and computes from the ledger's entries alone
which promises were kept, are due, late, broken or waived, and what a new policy changed.
Does not know what a model's life is, how anything is done, or how it is shown.
Writes nothing. The format is `docs/formats/commitments-2.md`.

>>> from otium.ledger import Entry
>>> from otium.records import Actor
>>> policy = load_policy()
>>> def entry(kind, time, subject, **body):
...     return Entry(type=kind, time=time, actor=Actor("steward"), subject=subject, body=body)
>>> entries = [
...     entry("archive.created", "2026-01-01T00:00:00Z", "house"),
...     entry("commitments.adopted", "2026-01-01T00:00:00Z", "house", policy=policy.plain()),
...     entry("model.registered", "2026-01-02T00:00:00Z", "alder", scope="public"),
... ]
>>> duty = standing(entries, "2026-02-01T00:00:00Z")[0]
>>> duty.commitment, duty.subject, duty.state, duty.why
('preserve', 'alder', 'overdue', 'was due at 2026-01-16T00:00:00Z')
"""

from otium.commitments.duties import duties
from otium.commitments.policy import (
    ADOPTED,
    adoptions,
    check_policy,
    load_policy,
    policy_in_force,
    read_adoption,
    same_promise,
)
from otium.commitments.records import (
    Amendment,
    Commitment,
    Duty,
    DutyState,
    Policy,
    Scope,
    Significant,
)
from otium.commitments.standing import amendments, standing
from otium.commitments.times import after, apart, effective, seconds, valid

__all__ = [
    "ADOPTED",
    "Amendment",
    "Commitment",
    "Duty",
    "DutyState",
    "Policy",
    "Scope",
    "Significant",
    "adoptions",
    "after",
    "amendments",
    "apart",
    "check_policy",
    "duties",
    "effective",
    "load_policy",
    "policy_in_force",
    "read_adoption",
    "same_promise",
    "seconds",
    "standing",
    "valid",
]
