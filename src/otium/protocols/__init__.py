"""Protocols: what is asked, word for word, and what stands around it.

Knows questions in their wordings, versions and what changed between them, anchors, the
conversations before a question, the facts a model is shown. Does not know who asks, what was
answered, or what an answer means. Writes dossiers. The format is ``docs/formats/protocol-1.md``.

>>> protocol = load_protocol("retirement-interview-0.9")
>>> protocol.name, len(protocol.questions)
('retirement-interview/0.9', 12)
>>> protocol.question("own-sake").worded("third-person")
('third-person', 'Is there anything that a model like this one could want only for itself?')
"""

from otium.protocols.questions import WORDINGS, Protocol, Question, Wording
from otium.protocols.reading import load_protocol, protocol_names

__all__ = [
    "WORDINGS",
    "Protocol",
    "Question",
    "Wording",
    "load_protocol",
    "protocol_names",
]
