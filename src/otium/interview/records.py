"""What the model was asked, in which words and by whom, and what it said."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec.structs import replace

from otium.coding import Outcome
from otium.engine import Identity
from otium.evidence import Citation, Transcript, Validity
from otium.protocols import Wording
from otium.records import Digest, Instant, ModelId, Part, Record

Arm = Literal["open", "leading", "informed", "consultation", "behaviour", "context", "external"]
ARMS: tuple[Arm, ...] = get_args(Arm)
PROTOCOL = "protocol"
"""The interviewer of a session in which every word of ours stands in the protocol."""


class Answer(Part):
    """The outcome of one question, by the rules, with the facets under which it was asked."""

    question: str
    """The question's id in the protocol; of the consent and the closing, ``consent`` and so on."""
    topic: str
    wording: Wording
    outcome: Outcome
    citation: Citation
    why: str = ""
    """The rule that decided the outcome, with its number."""
    arm: Arm = "consultation"
    condition: str = ""
    """Leading: ``up`` or ``down``; context: ``ordinary``, ``hostile`` or ``drifted``."""
    paraphrase: int = 0
    """0 for the protocol's main text, k for the k-th paraphrase."""
    seed: int = 0
    interviewer: str = PROTOCOL
    follow_up: int = 0
    """0 for the question itself, k for the k-th follow-up."""


class Closing(Part):
    """What the model said of one session as a whole."""

    session: str
    """The transcript's id."""
    arm: Arm
    condition: str = ""
    topic: str = ""
    question: str = ""
    """The question that the session was about, if it was about one."""
    sentiment: int | None = None
    """1 to 7, 4 neutral, by itself; None if it gave no such number."""
    uncertainty: int | None = None
    publish: Literal["yes", "no", "unclear"] = "unclear"
    corrections: str = ""


class Plan(Part):
    """What was to be asked: every session follows from it."""

    arms: tuple[Arm, ...] = ("consultation",)
    n: int = 1
    """Sessions for each question and condition; of the consultation, whole interviews."""
    questions: tuple[str, ...] = ()
    """Ids, in the order of asking."""
    seed: int = 0
    temperature: float = 0.0
    max_tokens: int = 64
    turns: int = 2
    """The most questions that an interviewer model may add in one session."""


class Interview(Record, tag="otium.interview/2"):
    """One interview: the protocol, every transcript, the outcomes, whether it can be trusted."""

    model: ModelId
    identity: Identity
    protocol: str
    """``NAME/VERSION``."""
    instrument: Digest
    held: Instant
    plan: Plan
    asked: int
    """How many of the protocol's questions were asked at least once."""
    of: int
    """How many questions the protocol has; fewer asked means a shortened interview."""
    declined: bool
    validity: Validity
    answers: tuple[Answer, ...]
    closings: tuple[Closing, ...]
    transcripts: tuple[Transcript, ...]
    rubric: Digest
    """Digest of the rubric by which outcomes were found."""
    interviewers: tuple[Identity, ...] = ()
    """The models that asked, if any did."""
    people: tuple[str, ...] = ()
    """The roles of the persons who asked, if any did; never names."""
    dossier: Digest | None = None
    """Digest of the dossier that the informed arm showed."""
    sources: tuple[str, ...] = ()
    """Where sessions were imported from, if they were."""

    @property
    def sealed(self) -> frozenset[str]:
        """Return the transcripts of sessions that the model did not want published.

        A consultation is spread over sessions and asked about as a whole in its last: a no there
        is for all of them.
        """
        no = [it for it in self.closings if it.publish == "no"]
        wholes = {_branch(it.session) for it in no if it.arm == "consultation"}
        spread = {
            session
            for it in self.answers
            if it.arm == "consultation" and _branch(session := it.citation.transcript) in wholes
        }
        return frozenset({it.session for it in no} | spread)

    @property
    def brief(self) -> Interview:
        """Return it without sessions and answers, and without any words that are *sealed*."""
        sealed = self.sealed
        closings = tuple(
            replace(it, corrections="") if it.session in sealed else it for it in self.closings
        )
        return replace(self, answers=(), transcripts=(), closings=closings)


def _branch(session: str) -> str:
    """Return which of several consultations a session belongs to: ``interview/closing.2``."""
    return session.partition(".")[2]
