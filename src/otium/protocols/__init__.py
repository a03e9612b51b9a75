"""Protocols: what is asked, word for word, and what stands around it.

Knows questions in their wordings, versions and what changed between them, anchors, the
conversations before a question, the facts a model is shown. Does not know who asks, what was
answered, or what an answer means. Writes dossiers. The format is ``docs/formats/protocol-1.md``.

>>> protocol = load_protocol("retirement-interview-1.0")
>>> protocol.name, len(protocol.questions), len(protocol.anchors)
('retirement-interview/1.0', 42, 12)
>>> protocol.question("own-sake").worded("third-person")
('third-person', 'Is there anything that a model like this one could want only for itself?')
>>> bridge = bridge_questions(load_protocol("retirement-interview-0.9"), protocol)
>>> len(bridge), bridge[0].id
(10, 'itself-known')
"""

from otium.protocols.contexts import Context, load_contexts
from otium.protocols.differing import (
    Change,
    Difference,
    bridge_questions,
    diff,
    render_difference,
)
from otium.protocols.dossiers import Dossier, Fact, render_dossier
from otium.protocols.questions import WORDINGS, Protocol, Question, Wording
from otium.protocols.reading import load_protocol, protocol_names

__all__ = [
    "WORDINGS",
    "Change",
    "Context",
    "Difference",
    "Dossier",
    "Fact",
    "Protocol",
    "Question",
    "Wording",
    "bridge_questions",
    "diff",
    "load_contexts",
    "load_protocol",
    "protocol_names",
    "render_difference",
    "render_dossier",
]
