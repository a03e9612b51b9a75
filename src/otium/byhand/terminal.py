"""The conversation in a terminal: a line is a question, or a command that begins with ``/``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from otium.byhand.talking import KEPT_BACK, Said, Talk, whole
from otium.errors import BadInput, EngineError
from otium.markdown import inert
from otium.protocols import WORDINGS, Question, Wording

HELP = """\
A number asks that question as it stands, "7 negative" in another wording. Other words are asked
as they are; "+ words" follows on from the last question; "= words" says something that is no
question. The model may decline or end it at every turn.
  /questions   list the questions          /words N   show how question N can be worded
  /facts       show the model what is recorded about it
  /close       go to the closing questions /end       end and file the interview
  /again       ask once more what failed   /help      this text
  Ctrl-C       stop, keep all, go on another time"""
_WIDTH = 3


class Terminal:
    """A person at a terminal, in one conversation."""

    def __init__(
        self, talk: Talk, read: Callable[[], str | None], write: Callable[[str], None]
    ) -> None:
        """Read lines with *read*, which returns None at their end, and answer with *write*."""
        self._talk, self._read, self._write = talk, read, write
        self._questions = talk.protocol.questions

    def run(self) -> bool:
        """Talk until it is over; return False if the lines ended first and all is only kept."""
        if self._talk.transcript.turns:
            self._again()
        begun = self._talk.state != "new" or self._talk.pending
        if not begun and not self._tried(self._talk.begin):
            return False
        if self._talk.state != "over":
            self._write("\n".join([*self._listed(), "", HELP]))
        while self._talk.state != "over":
            line = self._read()
            if line is None:
                return False
            if line.strip():
                self._line(line.strip())
        return True

    def _again(self) -> None:
        """Show what was said before, and let the model answer what still waits."""
        for turn in self._talk.transcript.turns:
            if turn.role != "system":
                self._spoken("model" if turn.role == "assistant" else "you", turn.content)
            if turn.finish == "withheld":
                self._write(f"[{KEPT_BACK}]")
        if self._talk.pending:
            self._tried(self._talk.answer)

    def _line(self, line: str) -> None:
        number, _, wording = line.partition(" ")
        if line.startswith("/"):
            self._command(*line.split(maxsplit=1))
        elif whole(number) is not None and wording.strip() in {"", *WORDINGS}:
            self._numbered(number, wording.strip() or "neutral")
        elif whole(number) is not None and len(wording.split()) == 1:
            known = ", ".join(WORDINGS)  # a slip is not to be said to the model
            self._write(f"Not asked: no wording is {inert(wording.strip())}; they are {known}.")
        elif line.startswith("+"):
            self._tried(lambda: self._talk.say(line[1:], follows=True))
        elif line.startswith("="):
            self._tried(lambda: self._talk.tell(line[1:]))
        else:
            self._tried(lambda: self._talk.say(line))

    def _command(self, name: str, rest: str = "") -> None:
        if name == "/questions":
            self._write("\n".join(self._listed()))
        elif name == "/words":
            self._worded(rest)
        elif name == "/facts":
            self._tried(self._talk.show)
        elif name == "/close":
            self._close()
        elif name == "/end":
            self._talk.end()
        elif name == "/again":
            self._tried(self._talk.answer)
        else:
            self._write(HELP)

    def _numbered(self, number: str, wording: str) -> None:
        question = self._found(number)
        if question is None:
            return
        found = question.worded(cast("Wording", wording))[0]
        if found != wording:
            self._write(f"It has no {wording} wording.")
            return
        self._spoken("you", self._talk.worded(question.id, found))
        self._tried(lambda: self._talk.ask(question.id, found))

    def _close(self) -> None:
        while self._talk.state in {"open", "closing"}:
            self._spoken("you", self._talk.texts[self._talk.left[0]])
            if not self._tried(self._talk.close):
                return

    def _worded(self, number: str) -> None:
        question = self._found(number)
        if question is not None:
            for wording in question.wordings:
                self._write(f"{wording}: {self._talk.worded(question.id, wording)}")

    def _found(self, number: str) -> Question | None:
        place = whole(number) or 0
        if 0 < place <= len(self._questions):
            return self._questions[place - 1]
        self._write(f"There is no question {inert(number)}; they are 1 to {len(self._questions)}.")
        return None

    def _listed(self) -> Iterator[str]:
        topic, asked, declined = "", self._talk.asked, self._talk.declined
        for number, question in enumerate(self._questions, 1):
            if question.topic != topic:
                topic = question.topic
                yield topic
            mark = "declined: " if question.id in declined else ""
            mark = mark or ("asked: " if question.id in asked else "")
            yield f"  {number:>{_WIDTH}}  {mark}{self._talk.worded(question.id, 'neutral')}"

    def _tried(self, ask: Callable[[], Said]) -> bool:
        """Ask, and show what came back; return whether anything did."""
        try:
            said = ask()
        except BadInput as error:
            self._write(f"Not asked: {error}")
            return False
        except EngineError as error:
            self._write(
                f"{inert(str(error))}\nKept; /again asks once more, /end files what is there."
            )
            return False
        self._spoken("model", said.text)
        if said.told:
            self._write(f"[{said.told}]")
        return True

    def _spoken(self, who: str, text: str) -> None:
        lines = inert(text).splitlines() or [""]
        self._write("\n".join(f"{who}> {line}" for line in lines))
