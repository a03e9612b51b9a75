"""The lifecycle: states, commitments, duties and notices."""

from otium.lifecycle.records import (
    Availability,
    Commitment,
    Duty,
    DutyState,
    ModelLife,
    Notice,
    Policy,
    Scope,
    State,
    Surface,
)

__all__ = [
    "Availability",
    "Commitment",
    "Duty",
    "DutyState",
    "ModelLife",
    "Notice",
    "Policy",
    "Scope",
    "State",
    "Surface",
]
