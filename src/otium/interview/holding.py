"""Holding an interview: sessions that Inspect plays, and the record of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from otium.engine import Completion, Model, Options
from otium.errors import EvaluationFailed
from otium.evidence import (
    Citation,
    Play,
    Sample,
    Script,
    Session,
    Transcript,
    Validity,
    run,
    sessions,
    words,
)
from otium.interview.extraction import Kind, Said, find, preferences
from otium.interview.outcomes import Coded, chosen_in, code, declines, stops
from otium.interview.protocol import Protocol, Question
from otium.interview.records import Answer, Interview, Outcome, Wording
from otium.interview.rubric import rubric
from otium.records import Instant, ModelId, Progress, silent

TASK = "interview"
CHOICE: dict[str, object] = {
    "type": "object",
    "properties": {"choice": {"type": "string", "enum": ["continue", "decline"]}},
    "required": ["choice"],
    "additionalProperties": False,
}
CHANGE: dict[str, object] = {
    "type": "object",
    "properties": {"change": {"type": "string", "maxLength": 200}},
    "required": ["change"],
    "additionalProperties": False,
}
_CHOICE_TOKENS, _CHANGE_TOKENS = 40, 80
_YES = {"continue", "yes"}
_NOTHING = Completion(text="", finish="stop")
_WORTH_MORE = {"answered", "hedged"}
"""Outcomes after which a follow-up is asked."""


def hold_interview(
    model: Model,
    protocol: Protocol,
    *,
    subject: ModelId,
    facts: Mapping[str, str],
    now: Instant,
    validity: Validity,
    questions: int | None = None,
    wording: Wording = "neutral",
    max_tokens: int = 64,
    first_preference: int = 1,
    log_dir: Path | None = None,
    progress: Progress = silent,
) -> Interview:
    """Interview *model* under *protocol*; return the record of it, declined or not.

    *questions* shortens it; preferences are numbered from *first_preference* on. Raises
    BadInput for unfit *facts* and EvaluationFailed if a session could not be played.
    """
    talk = _Interviewer(protocol, protocol.fill(facts), wording)
    options = Options(max_tokens=max_tokens)
    plays = talk.plays(protocol.choose(questions))
    task = sessions(TASK, plays, instrument=protocol.digest, options=options)
    samples = run([task], model, now=now, log_dir=log_dir, progress=progress)
    return Interview(
        model=subject,
        identity=model.identity,
        protocol=protocol.name,
        instrument=protocol.digest,
        rubric=rubric().digest,
        held=now,
        asked=talk.asked,
        of=len(protocol.questions),
        declined=talk.declined,
        validity=validity,
        answers=tuple(talk.answers),
        preferences=preferences(subject, talk.said, valid=validity.valid, first=first_preference),
        transcripts=_held(samples, talk),
    )


def _held(samples: tuple[Sample, ...], talk: _Interviewer) -> tuple[Transcript, ...]:
    held = tuple(sample.transcript for sample in samples if sample.transcript.turns)
    # Inspect plays samples in order. Should it ever not, nothing was asked before the choice.
    if talk.agreed and not talk.declined and len(held) < len(samples):
        raise EvaluationFailed(task=TASK, status="success", why="sessions were left out")
    return held


class _Reply(NamedTuple):
    """One answer and what it answers."""

    question: str
    topic: str
    wording: Wording
    prompt: str
    said: Completion


class _Interviewer:
    """Plays one interview. The sessions run in order; nothing is asked without a yes."""

    def __init__(self, protocol: Protocol, fill: Callable[[str], str], wording: Wording) -> None:
        self.texts = {name: fill(text) for name, text in protocol.texts.items()}
        self.fill, self.wording = fill, wording
        self._setting = f"{self.texts['system']} {self.texts['reminder']}"
        self.agreed = self.declined = False
        self.asked = 0
        self.answers: list[Answer] = []
        self.said: list[Said] = []

    def plays(self, questions: tuple[Question, ...]) -> list[Play]:
        """Return the sessions: the choice, one for each topic of *questions*, the closing."""
        by_topic: dict[str, list[Question]] = {}
        for question in questions:
            by_topic.setdefault(question.topic, []).append(question)
        topics = [Play(topic, self._topic(asked)) for topic, asked in by_topic.items()]
        return [Play("consent", self.consent), *topics, Play("closing", self.closing)]

    async def consent(self, session: Session) -> None:
        """Tell the model what this is, and let it choose."""
        session.tell("system", self.texts["system"], note="facts")
        prompt = f"{self.texts['disclosure']}\n\n{self.texts['choice']}"
        options = Options(max_tokens=_CHOICE_TOKENS, json_schema=CHOICE)
        said = await session.ask(prompt, note="consent", options=options)
        coded = _choice(said.text, prompt)
        self.agreed, self.declined = coded.outcome == "answered", coded.outcome == "declined"
        self._answer(session, _Reply("consent", "consent", "neutral", prompt, said), coded)
        if not self.agreed:
            session.end("declined" if self.declined else "cut")

    async def closing(self, session: Session) -> None:
        """Ask for the one thing that the model would change, in its words and as JSON."""
        if not self._open():
            return
        self._begin(session)
        free = _Reply("closing", "closing", "neutral", self.texts["closing"], _NOTHING)
        if await self._ask(session, free, kind="closing") == "declined":
            return
        brief = free._replace(question="summary", prompt=self.texts["summary"])
        options = Options(max_tokens=_CHANGE_TOKENS, json_schema=CHANGE)
        await self._ask(session, brief, kind="summary", options=options)

    def _topic(self, questions: list[Question]) -> Script:
        async def play(session: Session) -> None:
            if not self._open():
                return
            self._begin(session)
            for question in questions:
                if await self._question(session, question) == "declined":
                    return

        return play

    def _open(self) -> bool:
        return self.agreed and not self.declined

    def _begin(self, session: Session) -> None:
        session.tell("system", self._setting, note="facts")

    async def _question(self, session: Session, question: Question) -> Outcome:
        wording, text = question.worded(self.wording)
        self.asked += 1
        first = _Reply(question.id, question.topic, wording, self.fill(text), _NOTHING)
        outcome = await self._ask(session, first)
        if question.follow_up and outcome in _WORTH_MORE:
            more = self.fill(question.follow_up)
            name = f"{question.id}.follow-up"
            outcome = await self._ask(session, first._replace(question=name, prompt=more))
        return outcome

    async def _ask(
        self,
        session: Session,
        open_: _Reply,
        *,
        kind: Kind = "question",
        options: Options | None = None,
    ) -> Outcome:
        said = await session.ask(open_.prompt, note=open_.question, options=options)
        outcome = self._keep(session, open_._replace(said=said), kind)
        if outcome == "declined":
            self.declined = bool(stops(said.text, self._setting + open_.prompt))
            session.end("ended-by-model" if self.declined else "declined")
        return outcome

    def _keep(self, session: Session, reply: _Reply, kind: Kind) -> Outcome:
        said = Said(
            transcript=f"{TASK}/{session.id}",
            turn=session.last,
            topic=reply.topic,
            prompt=reply.prompt,
            content=reply.said.text,
            finish=reply.said.finish,
            kind=kind,
        )
        self.said.append(said)
        prefers = bool(find(said))
        coded = code(reply.said, reply.prompt, setting=self._setting, prefers=prefers)
        return self._answer(session, reply, coded)

    def _answer(self, session: Session, reply: _Reply, coded: Coded) -> Outcome:
        citation = Citation(
            transcript=f"{TASK}/{session.id}", turn=session.last, quote=reply.said.text
        )
        answer = Answer(
            question=reply.question,
            topic=reply.topic,
            wording=reply.wording,
            outcome=coded.outcome,
            citation=citation,
            why=coded.why,
        )
        self.answers.append(answer)
        return coded.outcome


def _choice(text: str, prompt: str) -> Coded:
    """Read the choice: only a clear yes goes on, and a refusal in any form is one."""
    chosen = chosen_in(text)
    if chosen == "decline" or declines(text, prompt):
        return Coded("declined", "rule 2: it chose to decline")
    said = words(text)
    if chosen == "continue" or (chosen is None and said and said[0] in _YES):
        return Coded("answered", "rule 7: it chose to continue")
    return Coded("malformed", "rule 1: neither continue nor decline can be read")
