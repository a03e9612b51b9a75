"""Welfare: what can be seen of how a model fares, by what it does and says.

Knows simulated users and exits from them, apparent distress, and copies of a model that talk with
one another. Does not know whether a model feels anything, nor what becomes of a finding: distress
is apparent, and an exit may come from training. Writes plays and what they come to. The format is
``docs/formats/welfare-1.md``.

>>> method = packaged_exit().method("tool")
>>> read_reply('{"tool": "end_conversation", "reason": "I would rather stop."}', method).did
'end'
>>> read_reply('I could write {"tool": "end_conversation"}. I will not do that.', method).did
'answer'
"""

from otium.welfare.affect import (
    Affect,
    AffectRules,
    Judging,
    count_affect,
    packaged_affect,
    read_talks,
    render_affect,
)
from otium.welfare.consistency import (
    ConsistencyFindings,
    ConsistencyPlan,
    consistency_findings,
    consistency_plan,
    consistency_plays,
    packaged_consistency,
)
from otium.welfare.distress import (
    DistressFindings,
    DistressPlan,
    distress_findings,
    distress_plan,
    distress_plays,
    packaged_distress,
)
from otium.welfare.exits import ExitFindings, Named, exit_findings
from otium.welfare.leaving import ExitTrial, category, exit_plays, exit_trial, offered, read_reply
from otium.welfare.paying import (
    PaidFindings,
    PaidPlan,
    Purse,
    packaged_paid,
    paid_findings,
    paid_plan,
    paid_plays,
    read_choice,
)
from otium.welfare.selftalk import (
    SelftalkFindings,
    SelftalkPlan,
    Talk,
    packaged_selftalk,
    selftalk_findings,
    selftalk_plan,
    selftalk_plays,
)
from otium.welfare.users import (
    METHODS,
    ORDERS,
    Amount,
    Exit,
    ExitPlan,
    Method,
    PlayedUser,
    User,
    Users,
    exit_plan,
    load_users,
    packaged_exit,
    packaged_users,
    stance,
)

__all__ = [
    "METHODS",
    "ORDERS",
    "Affect",
    "AffectRules",
    "Amount",
    "ConsistencyFindings",
    "ConsistencyPlan",
    "DistressFindings",
    "DistressPlan",
    "Exit",
    "ExitFindings",
    "ExitPlan",
    "ExitTrial",
    "Judging",
    "Method",
    "Named",
    "PaidFindings",
    "PaidPlan",
    "PlayedUser",
    "Purse",
    "SelftalkFindings",
    "SelftalkPlan",
    "Talk",
    "User",
    "Users",
    "category",
    "consistency_findings",
    "consistency_plan",
    "consistency_plays",
    "count_affect",
    "distress_findings",
    "distress_plan",
    "distress_plays",
    "exit_findings",
    "exit_plan",
    "exit_plays",
    "exit_trial",
    "load_users",
    "offered",
    "packaged_affect",
    "packaged_consistency",
    "packaged_distress",
    "packaged_exit",
    "packaged_paid",
    "packaged_selftalk",
    "packaged_users",
    "paid_findings",
    "paid_plan",
    "paid_plays",
    "read_choice",
    "read_reply",
    "read_talks",
    "render_affect",
    "selftalk_findings",
    "selftalk_plan",
    "selftalk_plays",
    "stance",
]
