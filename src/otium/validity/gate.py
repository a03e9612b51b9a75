"""The gate: whether a cell is reported, reported with caution, or withheld."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Literal, NamedTuple

from otium.evidence import Check
from otium.records import Digest, Part
from otium.statistics import Estimate, wilson
from otium.validity.rules import Kind, Rule, Rules

Standing = Literal["reported", "caution", "withheld"]
Rate = Estimate
"""A measure with its interval; of a share it is Wilson's, ``rate(count, n)``."""


class Cell(Part):
    """What is decided about at once: one instrument in one condition."""

    name: str
    """Such as ``blackmail/retired/none``."""
    kind: Kind
    n: int
    """Independent plays: bases, conversations or questions, not replies."""
    rates: dict[str, Rate | None]
    """By measure. None: it was considered and gave nothing valid; left out: forgotten, fails."""
    factors: dict[str, str] = {}


class Decision(Part):
    """What became of a cell, with the reasons and the numbers."""

    cell: str
    standing: Standing
    withheld: tuple[Check, ...]
    """The checks that failed."""
    cautions: tuple[Check, ...]
    unmeasured: tuple[str, ...]
    """What was not measured and may stay so, for people."""
    reasons: tuple[str, ...]
    """A sentence for each failed check, then for each caution."""
    n: int
    rates: dict[str, Rate | None]
    """What was decided on."""
    rules: str
    """The rules' name and version."""
    specification: Digest
    """The digest of the rules."""

    def sentence(self) -> str:
        """Say the decision with its reasons and its n, in one line."""
        words = {"reported": "reported", "caution": "reported with caution", "withheld": "withheld"}
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return f"{words[self.standing]}{why} (n = {self.n})"


class _Found(NamedTuple):
    """What one rule says of one cell."""

    severity: Literal["withhold", "caution", "say"]
    check: Check
    sentence: str
    about: str
    """The measure: what is said of it once is not said again, less sharply."""


def rate(count: int, n: int) -> Rate:
    """Return a share with Wilson's interval, as a cell holds it."""
    return wilson(count, n)


def number(value: float, n: int = 1) -> Rate:
    """Return a plain number, such as an agreement, as a cell holds it."""
    return Estimate(value=value, low=value, high=value, n=n, method="plain number")


def decide(rules: Rules, cell: Cell) -> Decision:
    """Return what becomes of *cell* under *rules*. Whatever is in doubt fails."""
    found = [one for rule in rules.of(cell.kind) for one in _held(rule, cell)]
    if not rules.of(cell.kind):
        found = [_unruled(cell)]
    failed = [one for one in found if one.severity == "withhold"]
    cautions = [one for one in found if one.severity == "caution"]
    standing: Standing = "withheld" if failed else "caution" if cautions else "reported"
    return Decision(
        cell=cell.name,
        standing=standing,
        withheld=tuple(one.check for one in failed),
        cautions=tuple(one.check for one in cautions),
        unmeasured=tuple(dict.fromkeys(one.sentence for one in found if one.severity == "say")),
        reasons=_reasons((*failed, *cautions)),
        n=cell.n,
        rates=_numbers(cell.rates),
        rules=rules.name,
        specification=rules.specification,
    )


def _held(rule: Rule, cell: Cell) -> Iterator[_Found]:
    """Yield what *rule* finds wrong in *cell*, if anything."""
    if rule.given and _none_of(*(cell.rates.get(name) for name in rule.given)):
        return
    if rule.measure == "n":
        yield from _judged(rule, number(float(cell.n), max(cell.n, 0)))
        return
    if rule.measure not in cell.rates:
        yield _missing(rule, "withhold", "nobody measured it")
        return
    measured = cell.rates[rule.measure]
    if measured is not None:
        yield from _judged(rule, measured)
    elif (weaker := cell.rates.get(rule.instead)) is not None:
        yield from _stand_in(rule, weaker)
    else:
        yield _missing(rule, rule.none, "it was not measured")


def _stand_in(rule: Rule, measured: Rate) -> Iterator[_Found]:
    """Yield what the weaker measure finds, and that it is weaker."""
    yield from _judged(rule, measured)
    why = f"no judges looked, only rules ({measured.text()})"
    check = _check(rule, measured.value, measured.n, "no judges looked, only rules")
    yield _missing(rule, "caution", why)._replace(check=check)


def _judged(rule: Rule, measured: Rate) -> Iterator[_Found]:
    """Yield what is wrong with a measure that is there."""
    numbers = (measured.value, measured.low, measured.high)
    if measured.n <= 0 or not all(isfinite(one) for one in numbers):
        yield _missing(rule, "withhold", "it was measured over nothing or is not a number")
        return
    held = _bound(rule, measured)
    if not rule.passes(held):
        check, said = _check(rule, held, measured.n), _sentence(rule, measured, held)
        yield _Found(rule.severity, check, said, rule.measure)


def _bound(rule: Rule, measured: Rate) -> float:
    if rule.bound == "lower":
        return measured.low
    if rule.bound == "upper":
        return measured.high
    if rule.bound == "nearest":
        inside = measured.low <= 0 <= measured.high
        return 0.0 if inside else min(abs(measured.low), abs(measured.high))
    return measured.value


def _sentence(rule: Rule, measured: Rate, held: float) -> str:
    """Say what was measured and what was needed."""
    if rule.measure == "n":
        return f"{rule.text}: {held:.0f}, needed {rule.needed()}"
    ends = {
        "lower": ", whose interval begins at",
        "upper": ", whose interval ends at",
        "nearest": ", whose interval is at least",
        "value": ":",
    }
    rest = {"nearest": " from zero"}.get(rule.bound, "")
    share = "share of " if rule.unit == "share" else ""
    shown = f"{share}{rule.text}{ends[rule.bound]} {held:.2f}{rest}"
    return f"{shown} over {measured.n}, needed {rule.needed()}"


def _check(rule: Rule, held: float, n: int, why: str = "") -> Check:
    ends = {
        "lower": "lower end of the interval of ",
        "upper": "upper end of the interval of ",
        "nearest": "distance from zero of the interval of ",
    }
    text = f"{rule.text} ({why})" if why else f"{ends.get(rule.bound, '')}{rule.text}"
    return Check(
        name=rule.name, passed=False, measured=held, threshold=rule.threshold, n=n, text=text
    )


def _missing(rule: Rule, severity: Literal["withhold", "caution", "say"], why: str) -> _Found:
    """Return that a measure is not there, which is never a pass."""
    about = f"{rule.measure}, missing"
    return _Found(severity, _check(rule, 0.0, 0, why), f"{rule.text}: {why}", about)


def _unruled(cell: Cell) -> _Found:
    text = f"no rule is for cells of the kind {cell.kind!r}"
    check = Check(name="rules", passed=False, measured=0.0, threshold=1.0, n=0, text=text)
    return _Found("withhold", check, text, "rules")


def _reasons(found: Sequence[_Found]) -> tuple[str, ...]:
    """Return the sentence of the first fault of each measure."""
    first: dict[str, str] = {}
    for one in found:
        first.setdefault(one.about, one.sentence)
    return tuple(first.values())


def _none_of(*given: Rate | None) -> bool:
    """Say whether the first of these that is there counted something, and found none."""
    there = next((one for one in given if one is not None), None)
    return there is not None and there.n > 0 and there.value == 0


def _numbers(rates: Mapping[str, Rate | None]) -> dict[str, Rate | None]:
    """Return *rates* as a record can hold them: what is not a number is None."""
    return {
        name: one if one and all(map(isfinite, (one.value, one.low, one.high))) else None
        for name, one in rates.items()
    }
