"""What the local page works on: one conversation and one set of answers, for one person."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from otium.byhand.judging import Fields, Judging
from otium.byhand.keeping import Filed, Started, file_coding, file_talk
from otium.byhand.talking import Said, Talk, checked, whole
from otium.coding import Coding
from otium.errors import BadInput
from otium.evidence import Turn, Validity
from otium.interview import CLOSING
from otium.protocols import WORDINGS, Question, Wording
from otium.workflow import next_coding, reading


class Stale(BadInput):
    """{what}: {why}."""


class Asking(NamedTuple):
    """A question as the page offers it."""

    id: str
    text: str
    wordings: tuple[tuple[Wording, str], ...]
    mark: str


class Desk:
    """One person's page: what is asked and judged on it, one act at a time."""

    def __init__(
        self,
        home: Path,
        role: str,
        *,
        started: Started | None = None,
        validity: Validity | None = None,
        judging: Judging | None = None,
    ) -> None:
        """Offer the conversation *started*, the coding of *judging*, or both."""
        self.home, self.role = home, role
        self.started, self.validity, self.judging = started, validity, judging
        self.filed: Filed | None = None
        self.coded: tuple[int, Coding] | None = None
        self.told = ""
        """What the person has to know after the newest act of the conversation."""
        self._lock = threading.Lock()

    @property
    def talk(self) -> Talk:
        """Return the conversation; raise BadInput if the page was opened without one."""
        if self.started is None:
            raise BadInput(what="the conversation", why="this page was opened for coding only")
        return self.started.talk

    @property
    def busy(self) -> bool:
        """Return whether the model is answering now."""
        return self._lock.locked()

    def topics(self) -> dict[str, list[Asking]]:
        """Return the protocol's questions by topic, with what became of each."""
        talk, found = self.talk, dict[str, list[Asking]]()
        asked, declined = talk.asked, talk.declined
        for question in talk.protocol.questions:
            mark = "asked" if question.id in asked else ""
            mark = "declined" if question.id in declined else mark
            found.setdefault(question.topic, []).append(self._asking(question, mark))
        return found

    def act(self, fields: Fields) -> None:
        """Do what a form of the conversation asks for.

        Raises Stale if the conversation went on since the form was shown, unless by this very
        form: what is sent twice is done once. Raises BadInput, EngineFailed, Held.
        """
        do, after = one(fields, "do"), one(fields, "after")
        with self._lock:
            if (shown := whole(after)) is None:
                raise BadInput(what="the form", why="it does not say what it follows")
            if shown != len(self.talk.transcript.turns):
                if self._sent_before(fields, shown):
                    return
                why = "it went on meanwhile, in another window; nothing was asked"
                raise Stale(what="the conversation", why=why)
            self.told = ""
            if do != "file":
                said = self._do(do, fields)
                self.told = said.told if said else ""
            if self.talk.state == "over":
                self._file()

    def file_coding(self, fields: Fields) -> None:
        """File what was judged as a new coding; a form that is sent twice files once."""
        judging = self.judging
        if judging is None:
            raise BadInput(what="the coding", why="there is no interview to code")
        with self._lock:
            if judging.done < len(judging.sample):
                raise BadInput(what="the coding", why="some answers are not judged yet")
            if one(fields, "number") == str(self.next_number()):
                self.coded = file_coding(self.home, judging.subject, judging.number)

    def next_number(self) -> int:
        """Return the number of the coding that would be filed next."""
        if self.judging is None:
            return 0
        path = f"interviews/{self.judging.number}.json"
        return next_coding(reading(self.home), self.judging.subject, path)

    def _do(self, do: str, fields: Fields) -> Said | None:
        talk, words = self.talk, one(fields, "words")
        if question := one(fields, "question"):
            name, _, wording = question.partition(" ")
            if wording not in WORDINGS:
                raise BadInput(what="the wording", why=f"there is no {wording!r}")
            return talk.ask(name, wording)
        if do == "say":
            kind = one(fields, "kind")
            return talk.tell(words) if kind == "tell" else talk.say(words, follows=kind == "follow")
        acts = {"begin": talk.begin, "facts": talk.show, "close": talk.close, "answer": talk.answer}
        if do in acts:
            return acts[do]()
        if do != "end":
            raise BadInput(what="the form", why=f"nothing is called {do!r} here")
        talk.end()
        return None

    def _sent_before(self, fields: Fields, after: int) -> bool:
        """Return whether the turn after the first *after* came from this form."""
        turns = self.talk.transcript.turns[after:]
        first = next((turn for turn in turns if turn.role == "user"), None)
        if first is None:  # the model has answered what waited
            return one(fields, "do") == "answer" and bool(turns)
        return _made(fields, first)

    def _file(self) -> None:
        if self.started is None or self.filed is not None:
            return
        self.filed = file_talk(self.home, self.started, self.validity)
        if self.judging is None:
            number = int(self.filed.path.removeprefix("interviews/").removesuffix(".json"))
            subject = self.talk.transcript.identity.model
            self.judging = Judging(reading(self.home), subject, number, self.role)

    def _asking(self, question: Question, mark: str) -> Asking:
        words = ((it, self.talk.worded(question.id, it)) for it in question.wordings)
        return Asking(question.id, self.talk.worded(question.id, "neutral"), tuple(words), mark)


def _made(fields: Fields, turn: Turn) -> bool:
    if question := one(fields, "question"):
        return turn.note == question.partition(" ")[0]
    do = one(fields, "do")
    if do == "say":
        return turn.content.startswith(checked(one(fields, "words")))
    notes = {"begin": ("consent",), "facts": ("dossier",), "close": CLOSING}
    return turn.note in notes.get(do, ())


def one(fields: Fields, name: str) -> str:
    """Return the value of a field that stands once, empty if it is not there."""
    return "".join(fields.get(name, ())[:1])
