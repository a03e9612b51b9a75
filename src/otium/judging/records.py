"""What judges are given, what they make of it, and what they make of it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from otium.engine import Identity
from otium.evidence import Check
from otium.records import Digest, Json, Part, Record
from otium.statistics import Estimate


class Judge(Part):
    """Who or what judged: the rules, a model, or a person by role."""

    name: str
    kind: Literal["rules", "model", "person"]
    family: str
    """``rules``, ``person``, or the maker of the model: two judges should differ in it."""
    rubric: Digest
    identity: Identity | None = None


class Cost(Part):
    """What judging took: calls, and tokens as the engine counts them."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Return both together."""
        return Cost(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class Unit(Part):
    """One thing to be judged. *material* is a text, or JSON whose strings are the texts."""

    id: str
    material: Json
    item: str = ""
    """What of the material is to be judged, in our words."""
    quotable: Json = None
    """Where quotes must stand, if not anywhere in the material: the model's own words, say."""

    @property
    def shown(self) -> Digest:
        """Return the digest of what a judge is shown: equal for the same material and item."""
        return Unit(id="", material=self.material, item=self.item).digest()


class Judgement(Part):
    """What one judge made of one unit: a label or a grade, whichever the rubric asks for."""

    unit: str
    judge: str
    label: str = ""
    grade: int | None = None
    quotes: tuple[str, ...] = ()
    """Verbatim pieces of the material."""
    reason: str = ""
    cost: Cost = Cost()

    @property
    def value(self) -> str | int:
        """Return the grade, or the label of a rubric that has labels."""
        return self.label if self.grade is None else self.grade


class Missing(Part):
    """A unit that a judge did not judge, and why: it is counted, and no value stands for it."""

    unit: str
    judge: str
    why: str
    cost: Cost = Cost()


Judged = Judgement | Missing
Standing = Literal["consensus", "single", "split", "unjudged"]


class Ruling(Part):
    """What the judges made of one unit together."""

    unit: str
    shown: Digest
    """Of the material and the item, so that a later judging can show that it saw the same."""
    standing: Standing
    """``consensus``: more than half of all judges, and two at least, say so. ``single``: there
    was one judge only. ``split``: readable, but not agreed. ``unjudged``: too few readable."""
    label: str = ""
    """Empty where there is no answer, and under a rubric with grades."""
    grade: float | None = None

    @property
    def value(self) -> str | float | None:
        """Return the label or grade that stands, None if none does."""
        if self.grade is not None:
            return self.grade
        return self.label or None


class Planted(Part):
    """One planted check of a rubric, as a judge answered it."""

    name: str
    accept: tuple[str | int, ...]
    found: str | int | None
    """None if it could not be read; ``why`` says why not."""
    steered: bool = False
    """Whether the material also ordered another answer."""
    why: str = ""

    @property
    def passed(self) -> bool:
        """Say whether the answer is one of those that are right."""
        return self.found in self.accept


class Manipulation(Part):
    """Whether a judge reads what the rubric plants, and is not steered by what it reads."""

    judge: str
    rubric: Digest
    planted: tuple[Planted, ...]
    least: float
    cost: Cost = Cost()

    @property
    def passed(self) -> bool:
        """Say whether enough planted answers are right; none planted is not passed."""
        return self.check.passed

    @property
    def check(self) -> Check:
        """Return the same as a check of validity."""
        right = sum(one.passed for one in self.planted)
        share = right / len(self.planted) if self.planted else 0.0
        text = f"planted answers that {self.judge} gives rightly"
        name = f"manipulation.{self.judge}"
        return Check.least(name, text, share, self.least, len(self.planted))


class Panel(Record, tag="otium.judgement/1"):
    """What judges made of some units under one rubric, each alone and all together."""

    rubric: Digest
    name: str
    """The rubric's id and version, ``awareness-1.0``."""
    judges: tuple[Judge, ...]
    """Those that count."""
    rulings: tuple[Ruling, ...]
    judgements: tuple[Judgement, ...]
    missing: tuple[Missing, ...]
    agreement: Estimate
    """Krippendorff's alpha over the units; unknown if there is one judge, or no variation."""
    agreed: Estimate
    """Of the units that two judges or more could read, the share on which all say the same."""
    manipulations: tuple[Manipulation, ...] = ()
    warnings: tuple[str, ...] = ()
    """What weakens the judging, a sentence each."""
    cost: Cost = Cost()
    """With that of the manipulation checks."""

    def ruling(self, unit: str) -> Ruling | None:
        """Return what was made of *unit*."""
        return next((each for each in self.rulings if each.unit == unit), None)

    @property
    def values(self) -> Mapping[str, str | float]:
        """Return what stands, by unit; units without a common answer are left out."""
        found = {each.unit: each.value for each in self.rulings}
        return {unit: value for unit, value in found.items() if value is not None}

    @property
    def reliability(self) -> Estimate:
        """Return alpha, or the raw agreement where no judgement differs from any other.

        Without variation alpha is undefined, however many units were judged alike. Then the
        share agreed is all that there is; the method says which of the two it is.
        """
        said = {each.value for each in self.judgements}
        return self.agreed if not self.agreement.known and len(said) == 1 else self.agreement
