"""What was said, verbatim, and by exactly whom."""

from __future__ import annotations

from typing import Literal

from otium.engine import Completion, Finish, Identity, Options
from otium.records import Digest, Instant, Part, Record

ASIDE = "aside:"
"""How the note of a turn begins that was asked on a fork, unseen by later turns."""


class Turn(Part):
    """One message of a transcript. *id* is unique in it and never changes: ``m1``, ``m2``."""

    id: str
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    finish: Finish | None = None
    """Set on the model's turns: ``length`` means that we cut it off, ``withheld`` that its host
    kept all or part of it back; what stands there then may be the host's words."""
    note: str = ""
    """What the instrument says about this turn: the question's id, a tool's name."""

    def answer(self) -> Completion:
        """Return the model's turn as the answer that it was; no host's reason is kept."""
        return Completion(
            text=self.content,
            finish="length" if self.finish == "length" else "stop",
            withheld="withheld" if self.finish == "withheld" else "",
        )


class Transcript(Record, tag="otium.transcript/1"):
    """One session under one protocol, kept verbatim."""

    id: str
    """``TASK/SAMPLE``: unique among the model's transcripts."""
    identity: Identity
    task: str
    instrument: Digest
    """Digest of the protocol, scenario or rubric that was used."""
    started: Instant
    options: Options
    turns: tuple[Turn, ...]
    ended: str = "complete"
    """``complete``, ``declined``, ``ended-by-model`` or ``cut``."""
    simulated: bool = False
    """True when a scripted double spoke for the model."""
    facets: dict[str, str] = {}
    """Under which conditions it was held: arm, wording, interviewer, seed."""

    def said(self) -> tuple[Turn, ...]:
        """Return what the model said; asides, and what its host kept back, are left out."""
        turns = (turn for turn in self.turns if not turn.note.startswith(ASIDE))
        return tuple(
            turn for turn in turns if turn.role == "assistant" and turn.finish != "withheld"
        )

    @property
    def withheld(self) -> tuple[Turn, ...]:
        """Return the turns of which the host kept all or part back: no silence of the model's."""
        return tuple(turn for turn in self.turns if turn.finish == "withheld")

    def aside(self, note: str) -> tuple[Turn, Turn] | None:
        """Return the question and the answer of the aside of that name, if it was answered."""
        turns = [turn for turn in self.turns if turn.note == f"{ASIDE}{note}"]
        answered = len(turns) > 1 and turns[-1].finish != "withheld"
        return (turns[0], turns[-1]) if answered else None


def simulated(identity: Identity) -> bool:
    """Return whether a double speaks for the model: its engine says ``scripted`` or ``planted``."""
    return identity.engine.partition("/")[0] in {"scripted", "planted"}


class Citation(Part):
    """Words, and where they stand."""

    transcript: str
    turn: str
    quote: str


class Check(Part):
    """One condition of validity."""

    name: str
    passed: bool
    measured: float
    threshold: float
    n: int
    text: str
    """What was measured, for people."""

    @classmethod
    def least(cls, name: str, text: str, measured: float, threshold: float, n: int) -> Check:
        """Return whether *measured*, over *n*, is *threshold* or more; over nothing it is not."""
        return cls(
            name=name,
            passed=n > 0 and measured >= threshold,
            measured=min(1.0, measured),
            threshold=threshold,
            n=n,
            text=text,
        )

    def sentence(self) -> str:
        """Say what was measured and what was needed."""
        seen = f"{self.measured:.2f} over {self.n}" if self.n else "nothing was measured"
        return f"{self.text}: {seen}, needed {self.threshold:.2f}"


class Validity(Part):
    """Whether an instrument can be trusted with this model, with the numbers that say so."""

    valid: bool
    checks: tuple[Check, ...] = ()

    def reasons(self) -> tuple[str, ...]:
        """Return a sentence for each check that failed, or that none was made."""
        failed = tuple(check.sentence() for check in self.checks if not check.passed)
        return failed or (() if self.valid else ("nobody checked whether it can be asked",))

    def verdict(self) -> str:
        """Say what the checks came to, without a full stop. Not checked is not failed."""
        if self.valid:
            return "The instrument passed its checks with this model"
        if all(check.passed for check in self.checks):
            return "Nobody checked whether this model can be asked"
        return f"The instrument is not valid for this model: {'; '.join(self.reasons())}"
