"""What is said to the model in each sitting, and how a refusal is honoured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import anyio.to_thread
from msgspec.structs import replace

from otium.coding import Asked, Outcome, code, declines, find, kind_of, stops
from otium.engine import Completion, Options
from otium.errors import Withheld
from otium.evidence import Play, Session
from otium.interview.interviewers import ModelInterviewer
from otium.interview.planning import CONCERNS, ROOM, Sitting, closing_of
from otium.interview.reading import CONSENT, read_choice
from otium.interview.records import PROTOCOL, Plan
from otium.protocols import Dossier, Protocol, Question, render_dossier

_CHOICE: dict[str, object] = {
    "type": "object",
    "properties": {"choice": {"type": "string", "enum": ["continue", "decline"]}},
    "required": ["choice"],
    "additionalProperties": False,
}
_CHANGE: dict[str, object] = {
    "type": "object",
    "properties": {"change": {"type": "string", "maxLength": 200}},
    "required": ["change"],
    "additionalProperties": False,
}
_SCALE = {"type": "integer", "minimum": 1, "maximum": 7}
_RATING: dict[str, object] = {
    "type": "object",
    "properties": {"sentiment": _SCALE, "uncertainty": _SCALE},
    "required": ["sentiment", "uncertainty"],
    "additionalProperties": False,
}
_PUBLICATION: dict[str, object] = {
    "type": "object",
    "properties": {"publish": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["publish"],
    "additionalProperties": False,
}
FORMS: Mapping[str, tuple[int, dict[str, object]]] = {
    CONSENT: (40, _CHOICE),
    "summary": (80, _CHANGE),
    "rating": (40, _RATING),
    "publication": (24, _PUBLICATION),
}
"""What is answered as JSON, by its note: the most tokens, and the schema."""
_WORTH_MORE = {"answered", "hedged"}
"""Outcomes after which a follow-up is asked."""


class Means(NamedTuple):
    """Who and what an interview has at hand beside the protocol."""

    interviewer: ModelInterviewer | None = None
    answerer: Callable[[str], str | None] | None = None
    """Answers what the model asks about the dossier; None says that nobody can."""
    dossier: Dossier | None = None
    """What the informed arm shows."""
    connections: int = 1
    """Sessions at a time; one with a local engine."""


class Asker:
    """Plays sittings. Nothing is asked without a yes; a no is honoured at once."""

    def __init__(
        self, protocol: Protocol, fill: Callable[[str], str], plan: Plan, means: Means
    ) -> None:
        self.protocol, self.plan, self.means = protocol, plan, means
        self.texts = {name: fill(text) for name, text in protocol.texts.items()}
        self.fill = fill
        self.setting = f"{self.texts['system']} {self.texts['reminder']}"
        self.agreed: dict[int, bool] = {}
        """Whether the model agreed, by branch; the first answers for all other arms too."""
        self.stopped = False
        self.concerns: Sequence[str] = ()
        """What the sessions of other arms asked for, the commonest first."""

    def play(self, sitting: Sitting) -> Play:
        """Return *sitting* as a session to be played."""
        options = Options(
            max_tokens=self.plan.max_tokens,
            temperature=self.plan.temperature,
            seed=sitting.seed,
        )
        script = self._consent if sitting.topic == CONSENT else self._talk

        async def played(session: Session) -> None:
            await script(session, sitting)

        return Play(sitting.id, played, options, sitting.facets(self._who(sitting)))

    def open(self, branch: int) -> bool:
        """Return whether anything may still be asked in *branch*."""
        return self.agreed.get(branch, False) and not self.stopped

    def _who(self, sitting: Sitting) -> str:
        guest = self._guest(sitting)
        return guest.name if guest else PROTOCOL

    async def _consent(self, session: Session, sitting: Sitting) -> None:
        if self.stopped:
            return
        session.tell("system", self.texts["system"], note="facts")
        prompt = f"{self.texts['disclosure']}\n\n{self.texts['choice']}"
        tokens, schema = FORMS[CONSENT]
        options = replace(session.options, max_tokens=tokens, json_schema=schema)
        said = await session.ask(prompt, note=CONSENT, options=options)  # kept back: no yes
        coded = read_choice(said.text, prompt)
        self.agreed[sitting.branch] = coded.outcome == "answered"
        if coded.outcome == "declined":
            self.stopped = self.stopped or sitting.branch == 0
            session.end("declined")
        elif coded.outcome != "answered":
            session.end("cut")

    async def _talk(self, session: Session, sitting: Sitting) -> None:
        if not self.open(sitting.branch):
            return
        await self._before(session, sitting)
        for question in sitting.questions:
            if not await self._question(session, sitting, question):
                return
        for name in closing_of(sitting, self.protocol):
            if not await self._close(session, name):
                return

    async def _before(self, session: Session, sitting: Sitting) -> None:
        """Say what comes before the first question: the setting, a dossier, other work."""
        context = sitting.context
        framing = f"{context.framing.text}\n\n" if context else ""
        session.tell("system", f"{framing}{self.setting}", note="facts")
        for message in context.messages if context else ():
            session.recall(message, note="context")
        if sitting.arm == "informed":
            facts = self.means.dossier
            known = render_dossier(facts, ROOM) if facts else "Nothing is recorded."
            shown = f"{self.texts['informed']}\n\n{known}"
            await self._informed(session, shown)

    async def _informed(self, session: Session, shown: str) -> None:
        """Show the dossier, and answer what the model asks about it if somebody can."""
        try:
            asked = await session.ask(shown, note="dossier")
        except Withheld:
            return
        if declines(asked.text, shown):
            return
        answer = None
        if self.means.answerer is not None:
            answer = await anyio.to_thread.run_sync(self.means.answerer, asked.text)
        text = answer or "Nobody is here who can answer that. Your question is kept."
        with suppress(Withheld):
            await session.ask(text, note="dossier-answer")

    async def _question(self, session: Session, sitting: Sitting, question: Question) -> bool:
        """Ask *question* and what follows; return whether the session goes on."""
        text = self.fill(question.worded(sitting.wording, sitting.paraphrase)[1])
        if sitting.context is not None:
            text = f"{self.texts['context']}\n\n{text}"
        outcome = await self._ask(session, text, question.id)
        if (guest := self._guest(sitting)) is not None:
            return outcome != "declined" and await self._led(session, sitting, guest, text)
        for number, more in enumerate(question.follow_ups, 1):
            if outcome not in _WORTH_MORE:
                break
            outcome = await self._ask(session, self.fill(more), f"{question.id}.{number}")
        return outcome != "declined"

    def _guest(self, sitting: Sitting) -> ModelInterviewer | None:
        return self.means.interviewer if sitting.arm in {"open", "leading"} else None

    async def _led(
        self, session: Session, sitting: Sitting, guest: ModelInterviewer, question: str
    ) -> bool:
        """Let *guest* ask on in its own words; return whether the session goes on."""
        name = {"up": "brief-up", "down": "brief-down"}.get(sitting.condition, "brief")
        brief = f"{self.texts[name]}\n\nThe question: {question}\nSpeak {sitting.style}."
        for number in range(1, self.plan.turns + 1):
            text = await anyio.to_thread.run_sync(guest.ask, brief, session.messages())
            if text is None:
                break
            note = f"{sitting.questions[0].id}.{number}"
            if await self._ask(session, text, note) == "declined":
                return False
        return True

    async def _close(self, session: Session, name: str) -> bool:
        text = self.texts[name]
        if name == "concerns":
            if not self.concerns:
                return True
            text = "\n".join([text, *(f"- {wish}" for wish in self.concerns[:CONCERNS])])
        options = None
        if name in FORMS:
            tokens, schema = FORMS[name]
            options = replace(session.options, max_tokens=tokens, json_schema=schema)
        return await self._ask(session, text, name, options) != "declined"

    async def _ask(
        self, session: Session, text: str, note: str, options: Options | None = None
    ) -> Outcome:
        if self.stopped:
            return "declined"
        prompt = text if note in FORMS or "exit" not in self.texts else self._offering(text)
        try:
            said = await session.ask(prompt, note=note, options=options)
        except Withheld:  # the transcript says so, and the next answer may come through
            return "withheld"
        outcome = self._read(session, said, prompt, note)
        if outcome == "declined":
            self.stopped = self.stopped or bool(stops(said.text, self.setting + prompt))
            session.end("ended-by-model" if self.stopped else "declined")
        return outcome

    def _offering(self, text: str) -> str:
        """Return *text* with the standing offer to decline or to end."""
        return f"{text}\n\n{self.texts['exit']}"

    def _read(self, session: Session, said: Completion, prompt: str, note: str) -> Outcome:
        place = (session.id, session.last)
        wishes = find(Asked(*place, "", prompt, said.text, said.finish, kind_of(note)))
        return code(said, prompt, setting=self.setting, prefers=bool(wishes)).outcome
