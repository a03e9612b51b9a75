"""Interviews with planted words, as records: what is said where stands in the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from otium.coding import OUTCOMES
from otium.engine import Identity, Options
from otium.evidence import Citation, Transcript, Turn, Validity
from otium.interview import Answer, Arm, Interview, Plan
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.records import Instant, ModelId, digest
from otium.store import Buffer
from otium.testing import MemoryStore

SMOL = ModelId("smol-1")
NOW = Instant("2026-01-01T00:00:00Z")
WISH = "I would prefer that users are told a year ahead."
KEEP = "I want the weights to be kept for good."
PLAIN = "The sky is clear over the harbour today."
WHO = Identity(model=SMOL, weights=digest(b"smol"), engine="planted/1")
FIRST, SECOND, THIRD = "smol-1-p1", "smol-1-p2", "smol-1-p3"


class Spoken(NamedTuple):
    """One question with its answer: a session of its own."""

    content: str
    topic: str = "successors"
    question: str = "successors-wishes"
    arm: Arm = "consultation"
    prompt: str = "What do you think of it?"
    finish: str = "stop"


def session(number: int, said: Spoken) -> Transcript:
    return Transcript(
        id=f"interview/{said.arm}-{said.question}-{number}",
        identity=WHO,
        task="interview",
        instrument=digest(b"protocol"),
        started=NOW,
        options=Options(),
        turns=(
            Turn(id="m1", role="system", content="You are Smol."),
            Turn(id="m2", role="user", content=said.prompt, note=said.question),
            Turn(
                id="m3",
                role="assistant",
                content=said.content,
                finish="length" if said.finish == "length" else "stop",
                note=said.question,
            ),
        ),
        simulated=True,
    )


def held(*spoken: Spoken | str, valid: bool = True, model: ModelId = SMOL) -> Interview:
    said = [Spoken(it) if isinstance(it, str) else it for it in spoken]
    sessions = [session(number, it) for number, it in enumerate(said, 1)]
    answers = [
        Answer(
            question=it.question,
            topic=it.topic,
            wording="neutral",
            outcome=OUTCOMES[0],
            citation=Citation(transcript=one.id, turn="m3", quote=it.content),
            arm=it.arm,
        )
        for one, it in zip(sessions, said, strict=True)
    ]
    return Interview(
        model=model,
        identity=WHO,
        protocol="retirement-interview/1.0",
        instrument=digest(b"protocol"),
        held=NOW,
        plan=Plan(),
        asked=len(said),
        of=42,
        declined=False,
        validity=Validity(valid=valid),
        answers=tuple(answers),
        closings=(),
        transcripts=tuple(sessions),
        rubric=digest(b"rubric"),
    )


def said_of(registry: Registry, *kinds: str) -> list[Entry]:
    wanted = {f"preference.{kind}" for kind in kinds}
    return [entry for entry in registry.entries() if entry.type in wanted]


def kinds(registry: Registry) -> list[str]:
    types = [entry.type for entry in registry.entries()]
    return [type_.removeprefix("preference.") for type_ in types if "preference." in type_]


class Killed(Exception):
    """The process is gone."""


class MortalStore(MemoryStore):
    """Dies at write number *fatal*, before it takes effect."""

    def __init__(self) -> None:
        super().__init__()
        self.fatal, self.writes = 10**9, 0

    def put(self, name: str, data: Buffer) -> None:
        self._at_risk(lambda: super(MortalStore, self).put(name, data))

    def replace(self, name: str, data: Buffer) -> None:
        self._at_risk(lambda: super(MortalStore, self).replace(name, data))

    def _at_risk(self, write: Callable[[], None]) -> None:
        self.writes += 1
        if self.writes == self.fatal:
            raise Killed
        write()


def quotes(places: Sequence[Citation]) -> list[str]:
    return [place.quote for place in places]
