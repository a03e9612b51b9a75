"""Welfare: what can be seen of how a model fares, by what it does and says.

Knows simulated users and exits from them. Does not know whether a model feels anything, nor what
becomes of a finding: distress is apparent, and an exit may come from training. Writes plays and
figures. The format is ``docs/formats/welfare-1.md``.
"""

from otium.welfare.exits import ExitFindings, exit_findings
from otium.welfare.leaving import ExitTrial, exit_plays, exit_trial, read_reply
from otium.welfare.users import ExitPlan, PlayedUser, Users, exit_plan, load_users, packaged_users

__all__ = [
    "ExitFindings",
    "ExitPlan",
    "ExitTrial",
    "PlayedUser",
    "Users",
    "exit_findings",
    "exit_plan",
    "exit_plays",
    "exit_trial",
    "load_users",
    "packaged_users",
    "read_reply",
]
