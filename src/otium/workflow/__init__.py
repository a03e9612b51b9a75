"""The workflow: a home opened, and each thing that one does in it, across the rooms.

Knows which rooms a step needs and in which order it writes. Does not know how any room does
its part, nor how the result is shown. Writes nothing of its own: each step files through the
registry, finds by content whether it was done, and so can be repeated after a crash.

>>> with founded(tmp_path / "home", archive_id="example") as home:
...     home.registry.models()
[]
"""

from otium.workflow.home import (
    SCRATCH,
    Home,
    approve,
    archive_store,
    discard,
    founded,
    opened,
    reading,
    shared,
    waiting,
)
from otium.workflow.keeping import (
    carry_out_deaccession,
    deposit,
    export,
    plan_repair,
    propose_deaccession,
    protect,
    repair,
    replicate,
    scrub,
    stores,
    survey,
)
from otium.workflow.models import running
from otium.workflow.serving import service
from otium.workflow.steps import (
    Bookend,
    Monitored,
    assess_model,
    build_pages,
    comment_and_publish,
    fingerprint_model,
    guide_users,
    interview_model,
    invite_work,
    monitor,
    next_interview,
    restore_drill,
    revive_model,
    tell_decision,
)
from otium.workflow.verify import WITNESSES_ADOPTED, Verified, verify, witness_policies

__all__ = [
    "SCRATCH",
    "WITNESSES_ADOPTED",
    "Bookend",
    "Home",
    "Monitored",
    "Verified",
    "approve",
    "archive_store",
    "assess_model",
    "build_pages",
    "carry_out_deaccession",
    "comment_and_publish",
    "deposit",
    "discard",
    "export",
    "fingerprint_model",
    "founded",
    "guide_users",
    "interview_model",
    "invite_work",
    "monitor",
    "next_interview",
    "opened",
    "plan_repair",
    "propose_deaccession",
    "protect",
    "reading",
    "repair",
    "replicate",
    "restore_drill",
    "revive_model",
    "running",
    "scrub",
    "service",
    "shared",
    "stores",
    "survey",
    "tell_decision",
    "verify",
    "waiting",
    "witness_policies",
]
