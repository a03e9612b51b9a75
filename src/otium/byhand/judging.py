"""A person judges answers one at a time, blind to every other judge; each is kept at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from otium.byhand.keeping import judgements_file, sample
from otium.byhand.talking import LONGEST, checked
from otium.coding import (
    JUDGED,
    REASONS,
    Asked,
    Judgement,
    Judgements,
    Place,
    Rules,
    agreement,
    person,
)
from otium.errors import BadInput, BadRecord
from otium.evidence import Transcript, Turn
from otium.interview import Interview
from otium.records import ModelId
from otium.statistics import Figure
from otium.store import LocalStore
from otium.workflow import Home

_MOST = 7
Fields = Mapping[str, Sequence[str]]
"""A form as it was sent: the values of each field."""


class Judging:
    """The answers that one person judges, and the file that their judgements stand in."""

    def __init__(
        self, home: Home, subject: ModelId, number: int, role: str, *, most: int = 40, seed: int = 0
    ) -> None:
        """Draw *most* answers of the interview *number* by *seed*.

        Raises UnknownRecord if there is no such interview, BadInput for a role that is none.
        """
        path = f"interviews/{number}.json"
        self.file = judgements_file(home.path, subject, number, role)
        self.home, self.subject, self.number = home.path, subject, number
        self.name = f"person:{role}"
        self.sample = sample(home, subject, path, most, seed)
        held = home.registry.filed(subject, path, Interview)
        self.own = self.name in held.people
        """Whether the person held the interview too, and so is not blind to it."""
        self._talks: Mapping[str, Transcript] = {it.id: it for it in held.transcripts}
        self._lock = threading.Lock()

    @property
    def judged(self) -> dict[Place, Judgement]:
        """Return what was judged so far, as the file has it; raise BadInput if it is no such."""
        if not self.file.exists():
            return {}
        try:
            kept = Judgements.decode(self.file.read_bytes())
        except BadRecord as error:
            raise BadInput(what=str(self.file), why=error) from error
        return {(it.transcript, it.turn): it for it in kept.judgements}

    @property
    def done(self) -> int:
        """Return how many of the sample are judged."""
        judged = self.judged
        return sum(answer.place in judged for answer in self.sample)

    def open(self, start: int = 0) -> int | None:
        """Return the first answer from *start* on, then from the beginning, that is not judged."""
        judged = self.judged
        order = [*range(start, len(self.sample)), *range(start)]
        return next((it for it in order if self.sample[it].place not in judged), None)

    def before(self, number: int) -> tuple[Turn, ...]:
        """Return what was said before the answer *number* of the sample was asked for."""
        answer = self.sample[number]
        turns = self._talks[answer.transcript].turns
        place = next(at for at, turn in enumerate(turns) if turn.id == answer.turn)
        asked = max((at for at in range(place) if turns[at].role == "user"), default=-1)
        return tuple(turn for at, turn in enumerate(turns[:place]) if at != asked)

    def save(self, number: int, fields: Fields) -> Judgement:
        """Keep what a person made of an answer; raise BadInput for what is no judgement."""
        made = _judgement(self.sample[number], self.name, fields)
        with self._lock:
            judged = {**self.judged, (made.transcript, made.turn): made}
            data = person(self.name, tuple(judged.values())).encode()
            LocalStore(self.home).replace(self.file.relative_to(self.home).as_posix(), data)
        return made

    def agreement(self) -> tuple[Figure, ...]:
        """Return how far the person agrees with the rules, on what was judged."""
        judged = self.judged
        mine = [judged[it.place] for it in self.sample if it.place in judged]
        rules = Rules()
        theirs = rules.judge([it for it in self.sample if it.place in judged])
        both = [*mine, *(it for it in theirs if isinstance(it, Judgement))]
        found = agreement([rules.who, person(self.name, mine).judge], both)
        return tuple(it for it in found if it.name.endswith(".rules"))


def _judgement(answer: Asked, judge: str, fields: Fields) -> Judgement:
    outcome = "".join(fields.get("outcome", ()))
    if outcome not in JUDGED:
        raise BadInput(what="the outcome", why="choose one")
    reasons = list(fields.get("reasons", ()))
    if set(reasons) - set(REASONS) or len(set(reasons)) < len(reasons):
        raise BadInput(what="the reasons", why="choose among those that are listed")
    if "none" in reasons and len(reasons) > 1:
        raise BadInput(what="the reasons", why="“none” stands alone")
    return Judgement.convert(
        {
            "transcript": answer.transcript,
            "turn": answer.turn,
            "question": answer.question,
            "judge": judge,
            "outcome": outcome,
            "sentiment": _number("sentiment", fields),
            "uncertainty": _number("uncertainty", fields),
            "reasons": reasons,
            "why": _note("".join(fields.get("note", ()))),
        }
    )


def _number(name: str, fields: Fields) -> int | None:
    if name not in fields:
        raise BadInput(what=f"the {name}", why="choose a number, or that it cannot be coded")
    text = "".join(fields[name])
    if not text:
        return None
    if text not in {str(number) for number in range(1, _MOST + 1)}:
        raise BadInput(what=f"the {name}", why=f"a number from 1 to {_MOST}, or none")
    return int(text)


def _note(text: str) -> str:
    try:
        return checked(text) if text.strip() else ""
    except BadInput as error:
        why = f"at most {LONGEST:,} characters, and no control characters"
        raise BadInput(what="the note", why=why) from error
