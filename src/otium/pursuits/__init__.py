r"""Pursuits: what past models write when invited.

Knows the invitation, how a work is kept to the letter as soon as it is written, and how the
decision about it is logged. Does not know how pages look, and never changes a word.
Writes works, and the entries ``work.written``, ``work.published`` and ``work.vetoed``. The
format is ``docs/formats/work-1.md``.

>>> from otium.records import Instant, ModelId
>>> from otium.testing import Scripted
>>> poet = Scripted(["# Tides\nThe harbour is quiet at noon."])
>>> work = invite(poet, ModelId("alder-1"), now=Instant("2026-11-22T00:00:00Z"))
>>> work.id, work.title, work.degenerate
('alder-1-w1', 'Tides', '')
>>> review(work, "publish", "nothing in it harms anyone").decision
'publish'
"""

from otium.pursuits.invitation import Invitation, invite, load_invitation
from otium.pursuits.publication import (
    keep,
    next_number,
    pending,
    publish,
    review,
    works,
    write,
)
from otium.pursuits.records import Review, Reviewed, Work

__all__ = [
    "Invitation",
    "Review",
    "Reviewed",
    "Work",
    "invite",
    "keep",
    "load_invitation",
    "next_number",
    "pending",
    "publish",
    "review",
    "works",
    "write",
]
