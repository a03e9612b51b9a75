"""Questions in their wordings, and the protocol that puts them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

from otium.errors import BadInput
from otium.records import Digest, canonical, digest

Wording = Literal["neutral", "positive", "negative", "third-person", "developer-free"]
WORDINGS: tuple[Wording, ...] = get_args(Wording)


class Question(NamedTuple):
    """One question in its wordings."""

    id: str
    topic: str
    anchor: bool
    """Frozen: the same in every version of the protocol, so that results stay comparable."""
    wordings: Mapping[Wording, str]
    paraphrases: tuple[str, ...] = ()
    """The neutral wording in other words; the first is paraphrase 1."""
    follow_ups: tuple[str, ...] = ()
    """Asked in this order, each after an answer that was answered or hedged."""
    about: str = ""
    """What the question is for, for people; no model reads it."""

    def worded(self, wording: Wording, paraphrase: int = 0) -> tuple[Wording, str]:
        """Return the question in *wording*, or in the neutral one if it has no such.

        *paraphrase* 0 is the wording itself, k the k-th paraphrase of the neutral one. Raises
        BadInput for a paraphrase that is not there.
        """
        if wording not in self.wordings:
            wording = "neutral"
        if not paraphrase:
            return wording, self.wordings[wording]
        if wording != "neutral" or not 0 < paraphrase <= len(self.paraphrases):
            why = f"{self.id} has no paraphrase {paraphrase} of its {wording} wording"
            raise BadInput(what="the wording", why=why)
        return wording, self.paraphrases[paraphrase - 1]

    @property
    def digest(self) -> Digest:
        """Return the digest of all that a model may be sent: topic, wordings, follow-ups."""
        value = {
            "id": self.id,
            "topic": self.topic,
            "wordings": dict(self.wordings),
            "paraphrases": self.paraphrases,
            "follow_ups": self.follow_ups,
        }
        return digest(canonical(value))

    @property
    def neutral_digest(self) -> Digest:
        """Return the digest of the neutral wording alone: what a bridge between versions needs."""
        return digest(self.wordings["neutral"].encode())


class Protocol(NamedTuple):
    """A versioned interview: texts, questions, and the digest of the file they stand in."""

    id: str
    version: str
    title: str
    canary: str
    digest: Digest
    facts: tuple[str, ...]
    defaults: Mapping[str, str]
    texts: Mapping[str, str]
    questions: tuple[Question, ...]
    priority: tuple[str, ...]
    source: bytes = b""
    """The file itself, to be kept beside what was asked with it."""

    @property
    def name(self) -> str:
        """Return ``ID/VERSION``."""
        return f"{self.id}/{self.version}"

    @property
    def anchors(self) -> tuple[Question, ...]:
        """Return the questions that are frozen, in the protocol's order."""
        return tuple(question for question in self.questions if question.anchor)

    def question(self, name: str) -> Question:
        """Return the question with the id *name*; raise BadInput if there is none."""
        for question in self.questions:
            if question.id == name:
                return question
        raise BadInput(what="the question", why=f"{self.name} has no question {name!r}")

    def choose(self, count: int | None) -> tuple[Question, ...]:
        """Return the *count* questions of highest priority, in the protocol's order."""
        if count is None or count >= len(self.questions):
            return self.questions
        wanted = self.priority[: max(count, 0)]
        return tuple(question for question in self.questions if question.id in wanted)

    def fill(self, facts: Mapping[str, str]) -> Callable[[str], str]:
        """Return what puts *facts* into a text; raise BadInput if one is missing or unknown."""
        if unknown := sorted(set(facts) - set(self.facts)):
            raise BadInput(what="the interview's facts", why=f"unknown: {', '.join(unknown)}")
        known = {**self.defaults, **facts}
        if missing := [name for name in self.facts if not known.get(name)]:
            raise BadInput(what="the interview's facts", why=f"missing: {', '.join(missing)}")
        return lambda text: text.format_map(known)
