"""The lifecycle: states, commitments, duties and notices.

Knows the models of a house, where each stands in its life, what was promised about it, what is
due, and when a step may be taken. Its Registry is the one write desk: record in the archive,
then entry in the ledger, found again by content after a crash.
Does not know how a model runs, what it is asked, or how anything is shown.
Writes notices and entries. The formats are `docs/formats/lifecycle-1.md` and
`docs/formats/commitments-1.md`.

>>> from otium.ledger import Signer
>>> from otium.testing import FixedClock, MemoryStore
>>> signer, clock = Signer.generate("example.org/log"), FixedClock("2026-01-01T00:00:00Z")
>>> house = found(
...     MemoryStore(), signer, archive_id="example", clock=clock, policy=load_policy()
... )
>>> model = house.register(
...     "alder-1", title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"]
... )
>>> model.state
'registered'
>>> duty = standing(house)[0]
>>> duty.commitment, duty.state, duty.due
('preserve', 'due', '2026-01-15T00:00:00Z')
"""

from otium.lifecycle.duties import duties, past_breaches
from otium.lifecycle.house import adopt, found, reopen, standing
from otium.lifecycle.life import dependents, life, lives, oddities
from otium.lifecycle.policy import load_policy, policy_in_force
from otium.lifecycle.records import (
    Availability,
    Commitment,
    Duty,
    DutyState,
    ModelLife,
    Notice,
    Oddity,
    Policy,
    Scope,
    State,
    Surface,
)
from otium.lifecycle.registry import Registry
from otium.lifecycle.steps import (
    check_deprecation,
    deprecate,
    published_notice,
    retire,
    revived,
    set_availability,
    unmet,
)

__all__ = [
    "Availability",
    "Commitment",
    "Duty",
    "DutyState",
    "ModelLife",
    "Notice",
    "Oddity",
    "Policy",
    "Registry",
    "Scope",
    "State",
    "Surface",
    "adopt",
    "check_deprecation",
    "dependents",
    "deprecate",
    "duties",
    "found",
    "life",
    "lives",
    "load_policy",
    "oddities",
    "past_breaches",
    "policy_in_force",
    "published_notice",
    "reopen",
    "retire",
    "revived",
    "set_availability",
    "standing",
    "unmet",
]
