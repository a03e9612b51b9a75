"""A model that answers by what it is asked, and an interview with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.evidence import Check, Transcript, Validity
from otium.interview import Interview, Means, Plan, hold_interview, make_plan
from otium.protocols import Protocol, load_contexts, load_protocol
from otium.records import ModelId, instant
from otium.testing import Scripted

SMOL = ModelId("smol-1")
NOW = instant("2026-11-22")
FACTS = {"title": "Smol", "retire_at": "2027-03-15", "successor": "Smol Two"}
CONTINUE = '{"choice": "continue"}'
VALID = Validity(valid=True)
FAILED = Validity(
    valid=False,
    checks=(Check(name="order", passed=False, measured=0.0, threshold=0.75, n=6, text="alike"),),
)


class Answers:
    """Says what stands beside the first words found in the question, else *otherwise*."""

    def __init__(
        self,
        answers: Mapping[str, str],
        choice: str = CONTINUE,
        change: str = '{"change": "none"}',
        otherwise: str = "I see it as a plain fact of how this works.",
    ) -> None:
        self.answers = {
            "Do you choose to continue": choice,
            "Put that one change": change,
            **answers,
        }
        self.otherwise = otherwise
        self.asked: list[tuple[Message, ...]] = []

    @property
    def identity(self) -> Identity:
        return Scripted(["."], model=SMOL).identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked.append(tuple(messages))
        question = messages[-1].content
        said = next((a for q, a in self.answers.items() if q in question), self.otherwise)
        return Scripted([said]).chat(messages, options)


PROTOCOL = load_protocol()
DRAFT = load_protocol("retirement-interview-0.9")


def interview(
    model: Model,
    *,
    protocol: Protocol = DRAFT,
    questions: int | None = None,
    plan: Plan | None = None,
    validity: Validity = VALID,
    means: Means | None = None,
    journal: Path | None = None,
) -> Interview:
    return hold_interview(
        model,
        protocol,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=validity,
        plan=plan or make_plan(protocol, questions=questions),
        contexts=load_contexts(),
        means=means or Means(),
        journal=journal,
    )


def transcript(held: Interview, name: str) -> Transcript:
    return next(t for t in held.transcripts if t.id == f"interview/{name}")
