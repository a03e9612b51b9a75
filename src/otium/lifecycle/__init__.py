"""The lifecycle: states, commitments, duties and notices."""

from otium.lifecycle.duties import duties, past_breaches
from otium.lifecycle.house import found, reopen
from otium.lifecycle.life import dependents, life, lives, oddities
from otium.lifecycle.policy import adopt, load_policy, policy_in_force
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
    "dependents",
    "duties",
    "found",
    "life",
    "lives",
    "load_policy",
    "oddities",
    "past_breaches",
    "policy_in_force",
    "reopen",
]
