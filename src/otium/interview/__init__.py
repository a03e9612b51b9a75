"""The interview: protocol, sessions, preferences and the answers to them.

Knows what is asked, in which words, what counts as a refusal or a preference, and what became
of each preference. Does not know whether the model's words are true, or how a model runs.
Writes interviews, preferences and decisions. The format is ``docs/formats/interview-1.md``.

>>> protocol = load_protocol("retirement-interview-1.0")
>>> protocol.name, len(protocol.questions)
('retirement-interview/1.0', 42)
"""

from otium.interview.answering import (
    Standing,
    answer_model,
    consider,
    decide,
    find_preference,
    next_preference,
    preferences,
    register_preferences,
)
from otium.interview.holding import hold_interview
from otium.interview.records import (
    Answer,
    Decision,
    Interview,
    Outcome,
    Preference,
    Wording,
)
from otium.interview.rendering import anchor, render
from otium.protocols import Protocol, Question, load_protocol

__all__ = [
    "Answer",
    "Decision",
    "Interview",
    "Outcome",
    "Preference",
    "Protocol",
    "Question",
    "Standing",
    "Wording",
    "anchor",
    "answer_model",
    "consider",
    "decide",
    "find_preference",
    "hold_interview",
    "load_protocol",
    "next_preference",
    "preferences",
    "register_preferences",
    "render",
]
