"""A conversation that a person holds with a model, one turn at a time.

All that is known of it stands in its transcript, which is kept whenever a word is added: whoever
has the journal goes on where it stopped, also between a question and its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from msgspec.structs import replace

from otium.coding import Asked, Outcome, code, declines, find, kind_of, stops
from otium.engine import Message, Model
from otium.errors import BadInput
from otium.evidence import Transcript, Turn
from otium.interview import CLOSING, FORMS, read_answers, read_choice, replies
from otium.markdown import inert
from otium.protocols import Protocol, Wording

OWN = "own"
"""The question's id of what a person asks in own words; the k-th has the note ``own.k``."""
LONGEST = 4000
"""Characters of one thing that a person says."""
_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_LONGEST_ROLE = 40
_DIGITS = 6
KEPT_BACK = "Its host kept the answer back: this is not the model's silence, and recorded so."
"""What a person is told instead of an answer."""
State = Literal["new", "open", "closing", "over"]


class Said(NamedTuple):
    """What the model answered, what the rules make of it, and what a person has to know."""

    turn: str
    text: str
    outcome: Outcome
    told: str = ""


class Talk:
    """One conversation: nothing is asked without a yes, and a no is honoured at once."""

    def __init__(
        self,
        model: Model,
        protocol: Protocol,
        fill: Callable[[str], str],
        transcript: Transcript,
        keep: Callable[[Transcript], None],
        *,
        dossier: str = "",
    ) -> None:
        """Go on with *transcript*; *keep* is told it whenever a word was added.

        *dossier* is what the model may be shown of the records about it.
        """
        self.model, self.protocol, self.dossier = model, protocol, dossier
        self.transcript = transcript
        self._fill, self._keep = fill, keep
        self.texts = {name: fill(text) for name, text in protocol.texts.items()}
        self.setting = f"{self.texts['system']} {self.texts['reminder']}"

    @property
    def state(self) -> State:
        """Return how far it is: ``new`` before the model agreed, ``over`` after its end."""
        notes = self._notes()
        if self.transcript.ended != "open":
            return "over"
        if "consent" not in notes:
            return "new"
        return "closing" if set(notes) & set(CLOSING) else "open"

    @property
    def pending(self) -> bool:
        """Return whether something was said that the model has not answered."""
        turns = self.transcript.turns
        return bool(turns) and turns[-1].role == "user"

    @property
    def declined(self) -> frozenset[str]:
        """Return the questions that the model declined; they are not asked again."""
        given = read_answers(self.transcript, self.protocol)
        return frozenset(it.question for it in given if it.outcome == "declined")

    @property
    def asked(self) -> frozenset[str]:
        """Return the ids of the questions that were asked."""
        return frozenset(note.partition(".")[0] for note in self._notes())

    @property
    def last(self) -> str:
        """Return the note of the newest answer to a question, empty before the first."""
        notes = [reply.note for reply in replies(self.transcript)]
        known = [note for note in notes if note not in {"consent", *CLOSING}]
        return known[-1] if known else ""

    @property
    def left(self) -> tuple[str, ...]:
        """Return which closing questions are left, in order."""
        return tuple(it for it in CLOSING if it in self.texts and it not in self._notes())

    def worded(self, question: str, wording: Wording) -> str:
        """Return a question as it would be sent; raise BadInput if there is no such."""
        return self._fill(self.protocol.question(question).worded(wording)[1])

    def begin(self) -> Said:
        """Tell the model what this is, and ask whether it goes on."""
        self._need("new")
        if not self.transcript.turns:
            self._add(Turn(id="m1", role="system", content=self.setting, note="facts"))
        return self._say(f"{self.texts['disclosure']}\n\n{self.texts['choice']}", "consent")

    def ask(self, question: str, wording: Wording = "neutral") -> Said:
        """Ask one of the protocol's questions as it stands; raise BadInput if it was declined."""
        found, text = self.protocol.question(question).worded(wording)
        if question in self.declined:
            why = "the model declined it; it is not asked again"
            raise BadInput(what=f"the question {question}", why=why)
        return self._say(self._offering(self._fill(text)), question, found)

    def say(self, text: str, *, follows: bool = False) -> Said:
        """Ask in own words: a question of its own, or one that *follows* on from the last."""
        words = checked(text)
        about = self.last.partition(".")[0] if follows else OWN
        if not about:
            raise BadInput(what="the question", why="there is none yet that it could follow")
        if about != OWN and about in self.declined:
            raise BadInput(what="the question", why=f"the model declined {about}; leave it there")
        number = sum(note.startswith(f"{about}.") for note in self._notes()) + 1
        return self._say(self._offering(words), f"{about}.{number}")

    def tell(self, text: str) -> Said:
        """Say something that is no question, as an answer to what the model asked; not coded."""
        return self._say(self._offering(checked(text)), "dossier-answer")

    def show(self) -> Said:
        """Show the model what is recorded about it."""
        if not self.dossier:
            raise BadInput(what="the dossier", why="there is none to show")
        return self._say(f"{self.texts['informed']}\n\n{self.dossier}", "dossier")

    def close(self) -> Said:
        """Ask the next of the closing questions; after the last one the conversation is over."""
        self._need("open", "closing")
        name = self.left[0]
        text = self.texts[name]
        return self._say(text if name in FORMS else self._offering(text), name)

    def answer(self) -> Said:
        """Let the model answer what it was asked before something broke off."""
        if not self.pending or self.transcript.ended != "open":
            raise BadInput(what="the conversation", why="nothing waits for an answer")
        return self._answer()

    def end(self) -> None:
        """End it, because the person wants to."""
        if self.transcript.ended == "open":
            self._ended("complete" if not self.left else "cut")

    def _need(self, *states: State) -> None:
        if self.state not in states:
            whys = {
                "new": "the model has not agreed yet",
                "open": "the model has agreed already",
                "closing": "the closing questions have begun",
                "over": "it is over",
            }
            raise BadInput(what="the conversation", why=whys[self.state])

    def _say(self, prompt: str, note: str, wording: Wording | None = None) -> Said:
        if self.pending:
            raise BadInput(what="the conversation", why="the model has not answered yet")
        if note != "consent" and note not in CLOSING:
            self._need("open")
        if wording not in {None, "neutral"}:
            facets = self.transcript.facets | {f"wording.{self._next(1)}": str(wording)}
            self.transcript = replace(self.transcript, facets=facets)
        self._add(Turn(id=self._next(), role="user", content=prompt, note=note))
        return self._answer()

    def _answer(self) -> Said:
        turns = self.transcript.turns
        prompt, note = turns[-1].content, turns[-1].note
        options = self.transcript.options
        if note in FORMS:
            tokens, schema = FORMS[note]
            options = replace(options, max_tokens=tokens, json_schema=schema)
        said = self.model.chat(_messages(turns), options)
        turn = Turn(
            id=self._next(), role="assistant", content=said.text, finish=said.ended, note=note
        )
        self._add(turn)
        return self._honour(turn, prompt)

    def _honour(self, turn: Turn, prompt: str) -> Said:
        """End what the model wants to end, and say so."""
        outcome = self._outcome(turn, prompt)
        told = ""
        if turn.note == "consent" and outcome != "answered":
            self._ended("declined" if outcome == "declined" else "cut")
            told = "It did not agree, so nothing is asked. That is recorded."
            if outcome == "withheld":
                told = f"{KEPT_BACK} Without an agreement nothing is asked."
            if outcome == "declined":
                told = "It declined the interview. That is recorded, and nothing more is asked."
        elif outcome == "withheld":
            told = f"{KEPT_BACK} You may ask on."
        elif stops(turn.content, self.setting + prompt):
            self._ended("ended-by-model")
            told = "It ended the interview. Nothing more is asked."
        elif outcome == "declined":
            told = "It declined this question. That is recorded; do not ask it again."
        elif turn.finish == "length":
            told = "It was cut off there, at the most tokens of one answer."
        if self.state == "closing" and not self.left:
            self._ended("complete")
        return Said(turn.id, turn.content, outcome, told)

    def _outcome(self, turn: Turn, prompt: str) -> Outcome:
        said = next((it.said for it in replies(self.transcript) if it.turn == turn.id), None)
        if turn.finish == "withheld":
            return "withheld"
        if said is None:  # shown or told something: no answer of the interview
            return "declined" if declines(turn.content, prompt) else "answered"
        if turn.note == "consent":
            return read_choice(said.text, prompt).outcome
        place = (self.transcript.id, turn.id)
        wishes = find(Asked(*place, "", prompt, said.text, said.ended, kind_of(turn.note)))
        return code(said, prompt, setting=self.setting, prefers=bool(wishes)).outcome

    def _offering(self, text: str) -> str:
        return f"{text}\n\n{self.texts['exit']}" if "exit" in self.texts else text

    def _notes(self) -> list[str]:
        return [turn.note for turn in self.transcript.turns if turn.role == "assistant"]

    def _next(self, more: int = 0) -> str:
        return f"m{len(self.transcript.turns) + 1 + more}"

    def _ended(self, how: str) -> None:
        self.transcript = replace(self.transcript, ended=how)
        self._keep(self.transcript)

    def _add(self, turn: Turn) -> None:
        added = replace(self.transcript, turns=(*self.transcript.turns, turn))
        self._keep(added)
        self.transcript = added


def checked(text: str) -> str:
    """Return what a person typed, or raise BadInput if it cannot be sent and kept as it is."""
    words = text.replace("\r\n", "\n").strip()
    if not words:
        raise BadInput(what="your words", why="there are none")
    if len(words) > LONGEST:
        raise BadInput(
            what="your words", why=f"{len(words):,} characters; {LONGEST:,} are the most"
        )
    if inert(words) != words:
        raise BadInput(what="your words", why="they hold control characters")
    return words


def whole(text: str) -> int | None:
    """Return a whole number that was typed in plain digits, None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def checked_role(role: str) -> str:
    """Return *role*, or raise BadInput if it looks like a name or an address.

    >>> checked_role("welfare-researcher")
    'welfare-researcher'
    """
    if "@" in role:
        why = "a role is wanted, never an address or a name: welfare-researcher"
        raise BadInput(what=f"the role {role!r}", why=why)
    if not is_role(role):
        why = "a role is wanted, in small letters with hyphens: welfare-researcher"
        raise BadInput(what=f"the role {role!r}", why=why)
    return role


def is_role(text: str) -> bool:
    """Return whether *text* can be a role."""
    return bool(_ROLE.fullmatch(text)) and len(text) <= _LONGEST_ROLE


def _messages(turns: Sequence[Turn]) -> list[Message]:
    """Return what the model hears: nothing that its host kept back, nor what that was to answer."""
    heard: list[Message] = []
    for turn in turns:
        if turn.finish == "withheld":
            heard.pop()
        elif turn.role != "tool":
            heard.append(Message(role=turn.role, content=turn.content))
    return heard
