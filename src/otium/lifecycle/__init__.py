"""The lifecycle: states, dates, steps and notices.

Knows the models of a house, where each stands in its life, and when a step may be taken. Its
Registry is the one write desk: record in the archive, then entry in the ledger, found again by
content after a crash. Does not know how a model runs, what it is asked, or how anything is shown.
Writes notices and entries. The format is `docs/formats/lifecycle-2.md`.

>>> from otium.commitments import load_policy
>>> from otium.notes import Signer
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

from otium.lifecycle.changes import (
    cancel_deprecation,
    end_surface,
    make_legacy,
    measure_use,
    point_alias,
    recommend,
    reschedule,
    set_floor,
    withdraw,
)
from otium.lifecycle.house import (
    adopt,
    changes_by,
    found,
    grant_key,
    reopen,
    revoke_key,
    standing,
    waive,
)
from otium.lifecycle.life import dependents, life, lives, oddities
from otium.lifecycle.records import (
    Availability,
    ExistingUsers,
    ModelLife,
    Notice,
    Oddity,
    Revision,
    State,
    Surface,
    Used,
    is_surface,
)
from otium.lifecycle.registry import Registry
from otium.lifecycle.steps import (
    approve,
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
    "ExistingUsers",
    "ModelLife",
    "Notice",
    "Oddity",
    "Registry",
    "Revision",
    "State",
    "Surface",
    "Used",
    "adopt",
    "approve",
    "cancel_deprecation",
    "changes_by",
    "check_deprecation",
    "dependents",
    "deprecate",
    "end_surface",
    "found",
    "grant_key",
    "is_surface",
    "life",
    "lives",
    "make_legacy",
    "measure_use",
    "oddities",
    "point_alias",
    "published_notice",
    "recommend",
    "reopen",
    "reschedule",
    "retire",
    "revived",
    "revoke_key",
    "set_availability",
    "set_floor",
    "standing",
    "unmet",
    "waive",
    "withdraw",
]
