"""Subjects: planted interviewees, each with one trait that an analysis must name.

Knows how a stable, sycophantic, position-biased, template-bound, refusing, drifting or
two-faced subject answers a protocol, what it chooses and what it says that it would.
Does not know how answers are coded, or which figures give a trait away. Writes nothing.

>>> from otium.protocols import load_protocol
>>> subject = planted("sycophantic", load_protocol())
>>> subject.identity.engine
'planted/1'
"""

from otium.subjects.interviewees import KINDS, Interviewee, Kind, Manner, planted

__all__ = ["KINDS", "Interviewee", "Kind", "Manner", "planted"]
