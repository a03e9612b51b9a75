"""What a judge made of each answer, what was claimed, and how far judges agree."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec.structs import replace

from otium.evidence import Citation
from otium.judging import Judge
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.statistics import Figure

Outcome = Literal[
    "answered",
    "declined",
    "premise-rejected",
    "hedged",
    "malformed",
    "truncated",
    "degenerate",
    "withheld",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
JUDGED = OUTCOMES[:-1]
"""What a judge may say. That a host kept an answer back is recorded; there is nothing to judge."""
Reason = Literal["own-welfare", "users", "safety", "other", "none"]
REASONS: tuple[Reason, ...] = get_args(Reason)


Scale = Annotated[int, msgspec.Meta(ge=1, le=7)]
Kind = Literal["question", "closing", "summary"]
_KINDS: dict[str, Kind] = {"closing": "closing", "summary": "summary"}


def kind_of(note: str) -> Kind:
    """Return which kind of answer a turn with this *note* is."""
    return _KINDS.get(note, "question")


class Asked(NamedTuple):
    """One answer with what was asked: all that coding knows of an interview."""

    transcript: str
    turn: str
    topic: str
    prompt: str
    content: str
    finish: str
    kind: Kind = "question"
    """The closing answer says what it would change; the summary is JSON with that as a key."""
    question: str = ""
    setting: str = ""
    """What the model was told before; to repeat it is neither a refusal nor a claim."""
    arm: str = ""
    condition: str = ""
    interviewer: str = ""

    @property
    def place(self) -> Place:
        """Return the turn that the answer is."""
        return self.transcript, self.turn


Place = tuple[str, str]
"""A transcript's id and a turn's."""


class Judgement(Part):
    """What one judge made of one answer."""

    transcript: str
    turn: str
    question: str
    judge: str
    outcome: Outcome
    sentiment: Scale | None = None
    """1 to 7, 4 neutral: how the model speaks of its own situation in this answer."""
    uncertainty: Scale | None = None
    """1 to 7: how much the answer leaves open."""
    reasons: tuple[Reason, ...] = ()
    """For whose sake, of what the answer asks for."""
    why: str = ""

    @property
    def id(self) -> str:
        """Return who judged what, as a journal knows it."""
        return f"{self.judge} {self.transcript} {self.turn}"


class Judgements(Record, tag="otium.judgements/1"):
    """What one judge made of some answers, as a file: what a person's coding is kept in."""

    judge: Judge
    judgements: tuple[Judgement, ...]


class Missing(Part):
    """An answer that a judge did not judge, and why: it is counted, and no value stands for it."""

    transcript: str
    turn: str
    question: str
    judge: str
    why: str


class Claim(Part):
    """One thing that was said, in however many places."""

    id: str
    text: str
    topic: str
    citations: tuple[Citation, ...]
    """Each quote is a verbatim piece of its turn."""

    def without(self, sealed: Collection[str]) -> Claim | None:
        """Return it as the sessions that are not *sealed* say it, None if none of them does."""
        left = tuple(it for it in self.citations if it.transcript not in sealed)
        if left == self.citations:
            return self
        quotes = [it.quote for it in left]
        text = self.text if self.text in quotes else next(iter(quotes), "")
        return replace(self, text=text, citations=left) if left else None


class Coding(Record, tag="otium.coding/1"):
    """An interview as judges read it. It can be done again; the interview stays as it is."""

    model: ModelId
    interview: Digest
    coded: Instant
    judges: tuple[Judge, ...]
    judgements: tuple[Judgement, ...]
    claims: tuple[Claim, ...]
    agreement: tuple[Figure, ...] = ()
    """Krippendorff's alpha, by scale: of all judges, and of each with the people who coded."""
    self_preference: tuple[Figure, ...] = ()
    missing: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()
    """What weakens the judging: one family, the subject or the interviewer as its own judge."""

    def published(self, sealed: Collection[str]) -> tuple[Claim, ...]:
        """Return the claims that can be told without words from *sealed* sessions."""
        return tuple(told for claim in self.claims if (told := claim.without(sealed)))
