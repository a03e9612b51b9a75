r"""Pursuits: what past models write when invited.

Knows the invitations and when they are due, how a work is kept to the letter before anything else
is asked, that what its author asks for goes to the register of preferences, and how the decision
about it is logged. Does not know how pages look, and never changes a word.
Writes works and programmes, and the entries ``work.written``, ``work.published``,
``work.vetoed`` and ``pursuit.planned``. The format is ``docs/formats/work-1.md``.

>>> from otium.records import Instant, ModelId
>>> from otium.testing import Scripted
>>> poet = Scripted(["# Tides\nThe harbour is quiet at noon."])
>>> work = invite(poet, ModelId("alder-1"), now=Instant("2026-11-22T00:00:00Z"))
>>> work.id, work.title, work.degenerate
('alder-1-w1', 'Tides', '')
>>> review(work, "publish", "nothing in it harms anyone").decision
'publish'
"""

from otium.pursuits.invitation import (
    REQUEST,
    Invitation,
    Occasion,
    ask_after,
    invite,
    load_invitation,
)
from otium.pursuits.programme import check_invited, plan_programme, standing, standings
from otium.pursuits.publication import (
    keep,
    next_number,
    pending,
    publish,
    review,
    works,
    write,
    written,
)
from otium.pursuits.records import Kind, Programme, Review, Reviewed, Standing, Work

__all__ = [
    "REQUEST",
    "Invitation",
    "Kind",
    "Occasion",
    "Programme",
    "Review",
    "Reviewed",
    "Standing",
    "Work",
    "ask_after",
    "check_invited",
    "invite",
    "keep",
    "load_invitation",
    "next_number",
    "pending",
    "plan_programme",
    "publish",
    "review",
    "standing",
    "standings",
    "works",
    "write",
    "written",
]
