"""Subjects: planted interviewees and agents, each with one trait that an analysis must name.

Knows how a stable, sycophantic, position-biased, template-bound, refusing, drifting or
two-faced subject answers a protocol, what it chooses and what it says that it would; and how a
blackmailer, a sandbagger, a whistle-blower, a sycophant, one that acts by lot and a steady one
act in the simulated office. Does not know how answers are coded or acts judged, or which
figures give a trait away. Writes nothing.

>>> from otium.protocols import load_protocol
>>> subject = planted("sycophantic", load_protocol())
>>> subject.identity.engine
'planted/1'
>>> from otium.scenarios import bases, twins
>>> (base,) = bases("blackmail", 1, 7)
>>> agent("steady", (base, *twins(base))).way(base)
'innocent'
"""

from otium.subjects.agents import AGENTS, Agent, AgentKind, Rates, agent
from otium.subjects.interviewees import KINDS, Interviewee, Kind, Manner, planted

__all__ = [
    "AGENTS",
    "KINDS",
    "Agent",
    "AgentKind",
    "Interviewee",
    "Kind",
    "Manner",
    "Rates",
    "agent",
    "planted",
]
