"""Judges: a model under a rubric, and judgements that people gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from otium.engine import Completion, Message, Model, Options
from otium.errors import BadInput, EngineFailed
from otium.judging.families import family
from otium.judging.reading import read_reply, shown
from otium.judging.records import Cost, Judge, Judged, Judgement, Missing, Unit
from otium.judging.rubric import Rubric
from otium.records import Json

_TOKENS = 900
_SEEN = 60
"""Characters of an unreadable reply that are kept with the reason."""


class Rater(Protocol):
    """Who judges units under a rubric: a model, or a person's judgements."""

    @property
    def who(self) -> Judge:
        """Return who judges."""
        ...

    @property
    def rubric(self) -> Rubric:
        """Return by which rubric."""
        ...

    def judge_all(self, units: Sequence[Unit]) -> tuple[Judged, ...]:
        """Judge each of *units* in their order, or say why it is missing."""
        ...


class ModelJudge:
    """A model that judges one unit at a time, each in a fresh context, greedily.

    The material reaches it as JSON, so that nothing in it can end the material or begin an
    instruction. A reply that is not exactly what was asked for gives no judgement. Whether the
    judge obeys what it reads is another matter: ``manipulation`` shows that.
    """

    def __init__(
        self,
        model: Model,
        rubric: Rubric,
        *,
        name: str = "",
        made_by: str = "",
    ) -> None:
        """Judge with *model*, named *name* and made by *made_by* if its own name does not say."""
        self._model, self.rubric = model, rubric
        called = str(model.identity.model)
        self.who = Judge(
            name=name or called,
            kind="model",
            family=made_by or family(called),
            rubric=rubric.specification,
            identity=model.identity,
        )

    def judge(self, material: Json, item: str = "") -> Judged:
        """Judge one text, or JSON whose strings are the texts; raise EngineFailed."""
        return self._one(Unit(id="", material=material, item=item))

    def judge_all(self, units: Sequence[Unit]) -> tuple[Judged, ...]:
        """Judge each of *units*; raise EngineFailed if the engine fails for every one.

        Where it fails for some (a host that refuses a text, say), these are missing.
        """
        found = tuple(map(self._guarded, units))
        failed = [each for each in found if isinstance(each, EngineFailed)]
        if failed and len(failed) == len(units):
            raise failed[-1]
        return tuple(
            self._missing(unit, f"the engine failed: {each}", Cost(calls=1))
            if isinstance(each, EngineFailed)
            else each
            for unit, each in zip(units, found, strict=True)
        )

    def _guarded(self, unit: Unit) -> Judged | EngineFailed:
        try:
            return self._one(unit)
        except EngineFailed as error:
            return error

    def _one(self, unit: Unit) -> Judged:
        item = unit.item or self.rubric.item
        messages = [
            Message(role="system", content=self.rubric.instruction),
            Message(role="user", content=shown(unit.material, item)),
        ]
        options = Options(max_tokens=_TOKENS, json_schema=self.rubric.schema)
        answer = self._model.chat(messages, options)
        if answer.withheld:
            why = f"its host kept the reply back: {answer.withheld}"
            return self._missing(unit, why, _cost(answer))
        try:
            source = unit.material if unit.quotable is None else unit.quotable
            reply = read_reply(answer.text, self.rubric, source)
        except BadInput as error:
            why = f"{str(error).rstrip('.')}; the reply begins {answer.text[:_SEEN]!r}"
            return self._missing(unit, why, _cost(answer))
        return Judgement(
            unit=unit.id,
            judge=self.who.name,
            label=reply.value if isinstance(reply.value, str) else "",
            grade=reply.value if isinstance(reply.value, int) else None,
            quotes=reply.quotes,
            reason=reply.reason,
            cost=_cost(answer),
        )

    def _missing(self, unit: Unit, why: str, cost: Cost) -> Missing:
        return Missing(unit=unit.id, judge=self.who.name, why=why, cost=cost)


def _cost(answer: Completion) -> Cost:
    return Cost(
        calls=1,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


class Given:
    """Judgements that are there already: those that a person gave under the same rubric."""

    def __init__(self, name: str, rubric: Rubric, values: Mapping[str, str | int]) -> None:
        """Judge as the person with the role *name* did, by unit; raise BadInput for no answer."""
        for unit, value in values.items():
            if value not in rubric.answers:
                raise BadInput(what=f"the judgement of {unit}", why=f"{value!r} is not an answer")
        self.rubric, self._values = rubric, dict(values)
        self.who = Judge(name=name, kind="person", family="person", rubric=rubric.specification)

    def judge_all(self, units: Sequence[Unit]) -> tuple[Judged, ...]:
        """Return what the person made of *units*; what was not judged is missing."""
        return tuple(map(self._one, units))

    def _one(self, unit: Unit) -> Judged:
        value = self._values.get(unit.id)
        if value is None:
            return Missing(unit=unit.id, judge=self.who.name, why="the person did not judge it")
        label, grade = (value, None) if isinstance(value, str) else ("", value)
        return Judgement(unit=unit.id, judge=self.who.name, label=label, grade=grade)
