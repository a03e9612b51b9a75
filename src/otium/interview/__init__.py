"""The interview: a plan, its sessions, and what was said in them.

Knows the arms, who asks, in which order and words, how a refusal is honoured, and how to go on
where it stopped. Does not know how answers are judged, how stable they are, or what becomes of
a preference. Writes interviews. The format is ``docs/formats/interview-2.md``.

>>> from otium.protocols import load_protocol
>>> protocol = load_protocol("retirement-interview-0.9")
>>> plan = make_plan(protocol, arms=("consultation", "leading"), n=2, questions=3)
>>> made = forecast(plan, protocol, sittings(plan, protocol))
>>> made.sessions, made.calls
(22, 42)
"""

from otium.interview.asking import FORMS, Means
from otium.interview.holding import external_interview, hold_interview
from otium.interview.interviewers import ModelInterviewer
from otium.interview.journal import Journal
from otium.interview.planning import (
    CLOSING,
    ROOM,
    Forecast,
    Sitting,
    forecast,
    make_plan,
    priced,
    sittings,
)
from otium.interview.reading import Reply, asked_in, read_answers, read_choice, replies, setting
from otium.interview.records import ARMS, PROTOCOL, Answer, Arm, Closing, Interview, Plan
from otium.interview.rendering import anchor, render

__all__ = [
    "ARMS",
    "CLOSING",
    "FORMS",
    "PROTOCOL",
    "ROOM",
    "Answer",
    "Arm",
    "Closing",
    "Forecast",
    "Interview",
    "Journal",
    "Means",
    "ModelInterviewer",
    "Plan",
    "Reply",
    "Sitting",
    "anchor",
    "asked_in",
    "external_interview",
    "forecast",
    "hold_interview",
    "make_plan",
    "priced",
    "read_answers",
    "read_choice",
    "render",
    "replies",
    "setting",
    "sittings",
]
