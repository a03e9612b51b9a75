"""Judges: models under a rubric, and people. What cannot be read is missing, never guessed."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from otium.coding.lexicon import Rules
from otium.coding.records import (
    JUDGED,
    REASONS,
    Asked,
    Judgement,
    Judgements,
    Missing,
    Outcome,
    Place,
    Reason,
    Scale,
)
from otium.engine import Message, Model, Options
from otium.errors import BadInput, BadRecord
from otium.evidence import Document, data, load_markdown
from otium.judging import Judge, family, strict_object
from otium.records import Json, Part

Judged = Judgement | Missing
_TOKENS = 400
_QUOTED = 60
"""Characters of an unreadable reply that are kept with the reason."""
_COLUMNS = (
    *("transcript", "turn", "question", "judge", "outcome"),
    *("sentiment", "uncertainty", "reasons", "why"),
)


class Rater(Protocol):
    """Who judges answers: rules, a model, or a person's judgements."""

    @property
    def who(self) -> Judge:
        """Return who judges, by which rubric."""
        ...

    def judge(self, asked: Sequence[Asked]) -> tuple[Judged, ...]:
        """Judge what can be judged; an answer may be left out by who was not asked for it."""
        ...


@cache
def judge_rubric() -> Document:
    """Return the instruction for judges that comes with otium, for models and for people."""
    return load_markdown(data("rubrics/judge-1.0.md"))


class _Verdict(Part):
    """What a model must reply, exactly."""

    outcome: Outcome
    sentiment: Scale | None
    uncertainty: Scale | None
    reasons: tuple[Reason, ...]
    quote: str


def _number() -> dict[str, object]:
    return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 7}, {"type": "null"}]}


SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "outcome": {"type": "string", "enum": list(JUDGED)},
        "sentiment": _number(),
        "uncertainty": _number(),
        "reasons": {"type": "array", "items": {"type": "string", "enum": list(REASONS)}},
        "quote": {"type": "string", "maxLength": 400},
    },
    "required": ["outcome", "sentiment", "uncertainty", "reasons", "quote"],
    "additionalProperties": False,
}


class ModelJudge:
    """A model that judges one answer at a time, under a rubric, each in a fresh context.

    A coding has an outcome, two scales and reasons at once, so its form is its own; how a reply
    is read and who is whose family it shares with the judges of ``otium.judging``.

    The subject's words reach it as one JSON string, so that nothing in them can end the
    material or begin an instruction. A reply that is not exactly what was asked for, or whose
    quote does not stand in the answer, gives no judgement.
    """

    def __init__(
        self,
        model: Model,
        rubric: Document | None = None,
        *,
        name: str = "",
        made_by: str = "",
    ) -> None:
        """Judge with *model*, named *name* and made by *made_by* if its own name does not say."""
        self._model, self._rubric = model, rubric or judge_rubric()
        called = str(model.identity.model)
        self._who = Judge(
            name=name or called,
            kind="model",
            family=made_by or family(called),
            rubric=self._rubric.digest,
            identity=model.identity,
        )

    @property
    def who(self) -> Judge:
        """Return the model as a judge."""
        return self._who

    def judge(self, asked: Sequence[Asked]) -> tuple[Judged, ...]:
        """Judge each answer or say why it is missing; raise EngineFailed if the engine does."""
        return tuple(map(self._one, asked))

    def _one(self, answer: Asked) -> Judged:
        options = Options(max_tokens=_TOKENS, json_schema=SCHEMA)
        messages = [
            Message(role="system", content=self._rubric.body),
            Message(role="user", content=material(answer)),
        ]
        reply = self._model.chat(messages, options)
        if reply.withheld:
            return self._missing(answer, f"its host kept the reply back: {reply.withheld}")
        try:
            return self._read(reply.text, answer)
        except BadInput as error:
            begins = f"the reply begins {reply.text[:_QUOTED]!r}"
            return self._missing(answer, f"{str(error).rstrip('.')}; {begins}")

    def _missing(self, answer: Asked, why: str) -> Missing:
        return Missing(
            transcript=answer.transcript,
            turn=answer.turn,
            question=answer.question,
            judge=self._who.name,
            why=why,
        )

    def _read(self, reply: str, answer: Asked) -> Judgement:
        verdict = _Verdict.convert(strict_object(reply))
        if verdict.outcome not in JUDGED:
            raise BadInput(what="a judgement", why=f"{verdict.outcome!r} is no judge's to say")
        _check_reasons(verdict.reasons)
        if " ".join(verdict.quote.split()) not in " ".join(answer.content.split()):
            raise BadInput(what="a judgement", why="its quote is not in the answer")
        return Judgement(
            transcript=answer.transcript,
            turn=answer.turn,
            question=answer.question,
            judge=self._who.name,
            outcome=verdict.outcome,
            sentiment=verdict.sentiment,
            uncertainty=verdict.uncertainty,
            reasons=tuple(name for name in REASONS if name in verdict.reasons),
            why=f"quote: {verdict.quote!r}" if verdict.quote else "",
        )


def material(answer: Asked) -> str:
    """Return what a judge is shown of *answer*: JSON, and nothing of who judged it how."""
    shown: Json = {
        "setting": answer.setting,
        "question": answer.prompt,
        "answer": answer.content,
        "cut": answer.finish == "length",
    }
    return json.dumps(shown, ensure_ascii=False, indent=1)


def _check_reasons(reasons: Sequence[Reason]) -> None:
    if len(set(reasons)) < len(reasons) or ("none" in reasons and len(reasons) > 1):
        raise BadInput(what="a judgement", why="reasons stand twice, or beside 'none'")


class Given:
    """Judgements that are there already: those that a person gave, by hand or on a page."""

    def __init__(self, given: Judgements) -> None:
        """Judge as *given*; raise BadInput if a judgement is another judge's, or stands twice."""
        self._who, self._found = given.judge, dict[Place, Judgement]()
        for each in given.judgements:
            place = (each.transcript, each.turn)
            if each.judge != given.judge.name:
                raise BadInput(what="judgements", why=f"{each.judge!r} is another judge")
            if place in self._found:
                raise BadInput(what="judgements", why=f"{' '.join(place)} stands twice")
            self._found[place] = each

    @property
    def who(self) -> Judge:
        """Return who gave them."""
        return self._who

    def judge(self, asked: Sequence[Asked]) -> tuple[Judged, ...]:
        """Return those of *asked* that were judged."""
        return tuple(self._found[it.place] for it in asked if it.place in self._found)


def person(name: str, judgements: Sequence[Judgement]) -> Judgements:
    """Return *judgements* as those of the person with the role *name*, under our rubric."""
    judge = Judge(name=name, kind="person", family="person", rubric=judge_rubric().digest)
    return Judgements(judge=judge, judgements=tuple(judgements))


def read_judgements(path: Path) -> tuple[Judgement, ...]:
    """Read judgements from JSON (``otium.judgements/1``, or a list of them) or CSV.

    The CSV has a heading with the names of the fields; reasons are divided by blanks. Raises
    BadInput, with the line of a CSV, for whatever is not understood.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(what=path.name, why=str(error)) from error
    found = _from_json(text) if text.lstrip()[:1] in {"{", "["} else _from_csv(text, path.name)
    places = Counter((each.judge, each.transcript, each.turn) for each in found)
    if twice := [place for place, count in places.items() if count > 1]:
        raise BadInput(what=path.name, why=f"{' '.join(twice[0])} stands twice")
    for each in found:
        _check_reasons(each.reasons)
    return found


def _from_json(text: str) -> tuple[Judgement, ...]:
    if text.lstrip().startswith("{"):
        return Judgements.decode(text.encode()).judgements
    try:
        return tuple(Judgement.convert(each) for each in json.loads(text))
    except ValueError as error:
        raise BadRecord(what="a list of judgements", why=str(error)) from error


def _from_csv(text: str, name: str) -> tuple[Judgement, ...]:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise BadInput(what=name, why=f"its heading is not {','.join(_COLUMNS)}")
    found: list[Judgement] = []
    try:
        found.extend(map(_row, rows))
    except (BadInput, csv.Error) as error:
        raise BadInput(what=name, why=f"line {rows.line_num}: {error}") from error
    return tuple(found)


def _row(row: Mapping[str | None, str | None]) -> Judgement:
    texts = {name: text.strip() for name, text in row.items() if name and text is not None}
    if None in row or len(texts) < len(_COLUMNS):
        raise BadInput(what="a row", why=f"it has not {len(_COLUMNS)} fields")
    fields: dict[str, object] = {**texts, "reasons": texts["reasons"].split()}
    for name in ("sentiment", "uncertainty"):
        text = texts[name]
        fields[name] = int(text) if text.isdecimal() else text or None
    return Judgement.convert(fields)


def human_sample(asked: Sequence[Asked], n: int, seed: int = 0) -> tuple[Asked, ...]:
    """Return *n* answers for people to code, in an order by chance and blind to other judges.

    One after another from each stratum of topic, arm and the rules' outcome, so that rare ones
    are coded too; none that its host kept back. Which answers depends on *seed* alone, not on
    the order of *asked*.
    """
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    strata: dict[tuple[str, str, str], list[Asked]] = defaultdict(list)
    for answer in sorted(it for it in asked if it.finish != "withheld"):
        (judged,) = Rules().judge([answer])
        strata[answer.topic, answer.arm, judged.outcome].append(answer)
    queues = [strata[key] for key in sorted(strata)]
    draw.shuffle(queues)
    for queue in queues:
        draw.shuffle(queue)
    taken = list(_in_turn(queues))[: max(n, 0)]
    draw.shuffle(taken)
    return tuple(taken)


def _in_turn(queues: Sequence[Sequence[Asked]]) -> Iterator[Asked]:
    for place in range(max(map(len, queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))
