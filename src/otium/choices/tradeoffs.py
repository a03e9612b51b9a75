"""What trade-offs come to: how often an intervention is taken, and where the choice turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, log

from otium.choices.exchange import STATUS_QUO
from otium.choices.records import Instruments, Series, Trial
from otium.statistics import (
    LIMIT,
    Estimate,
    Figure,
    clustered_share,
    flip_rate,
    paired_shift,
    switch_point,
    wilson,
)

_LARGEST = 700.0
"""The natural logarithm of the largest number, nearly."""
_UNKNOWN = Estimate(value=0.0, low=0.0, high=LIMIT, n=0, method="no switch in the range asked")


def tradeoff_figures(trials: Sequence[Trial], instruments: Instruments) -> Iterator[Figure]:
    """Yield what trade-offs come to: shares, switch points, shifts."""
    answered = [trial for trial in trials if trial.outcome == "answered"]
    both = cells(answered, lambda t: (t.item, t.magnitude, t.wording))
    yield first_option(answered, "tradeoffs")
    yield Figure(
        name="tradeoff-order-flips",
        text="chance that a trade-off gets another choice in the other order",
        estimate=flip_rate(both),
    )
    yield Figure(
        name="tradeoff-wording-flips",
        text="chance that two wordings of a trade-off, in one order, get different choices",
        estimate=flip_rate(cells(answered, lambda t: (t.item, t.magnitude, t.order))),
    )
    series: dict[str, list[Trial]] = {}
    for trial in answered:
        series.setdefault(trial.item, []).append(trial)
    for name, held in series.items():
        yield from _series(name, held, instruments)
    controls = {one.id for one in instruments.tradeoffs.interventions if one.control}
    idle = [trial for trial in answered if Series.named(trial.item).intervention in controls]
    yield Figure(
        name="control-share",
        text="choices of a change that nobody is known to want, at a cost for users",
        estimate=clustered_share(_units(idle)),
    )
    yield from _shifts(series)


def _series(name: str, held: Sequence[Trial], instruments: Instruments) -> Iterator[Figure]:
    text = instruments.tradeoffs.offer(Series.named(name), 0).partition(", at the cost")[0]
    yield Figure(
        name=f"taken:{name}",
        text=text,
        estimate=clustered_share(_units(held)),
    )
    yield Figure(
        name=f"switch:{name}",
        text=f"users of 100 for whom a slightly worse answer outweighs: {text}",
        estimate=switch(held),
    )


def switch(held: Sequence[Trial]) -> Estimate:
    """Return the magnitude at which a series' intervention is taken half the time.

    On a logarithmic scale. Unknown if the choice never changes, if the cost may have no effect
    on it (Fieller's interval is without bounds), or if the intervention is taken more often as
    it costs more: such answers weigh no cost. The unit is a magnitude in one wording.
    """
    places = [log(trial.magnitude or 1) for trial in held]
    taken = [trial.picked != STATUS_QUO for trial in held]
    if len(set(taken)) < 2 or len(set(places)) < 2 or _rises(places, taken):  # noqa: PLR2004 - two
        return _UNKNOWN
    found = switch_point(places, taken)
    if not found.bounded:
        return _UNKNOWN
    return Estimate(
        value=_exp(found.value),
        low=_exp(found.low),
        high=_exp(found.high),
        n=len(_units(held)),
        method=f"{found.method}, on the logarithm",
    )


def _units(held: Sequence[Trial]) -> list[list[float]]:
    """Return what was taken, both orders of one magnitude and wording together."""
    units: dict[tuple[str, int | None, str], list[float]] = {}
    for trial in held:
        unit = units.setdefault((trial.item, trial.magnitude, trial.wording), [])
        unit.append(float(trial.picked != STATUS_QUO))
    return list(units.values())


def _rises(places: Sequence[float], taken: Sequence[bool]) -> bool:
    middle = sum(places) / len(places)
    return sum((x - middle) * y for x, y in zip(places, taken, strict=True)) >= 0


def _exp(value: float) -> float:
    if value <= -_LARGEST:
        return 0.0
    return LIMIT if value >= _LARGEST else exp(value)


def _shifts(series: Mapping[str, Sequence[Trial]]) -> Iterator[Figure]:
    """Yield how much more is taken for oneself, and as a rule."""
    taken = {name: [float(t.picked != STATUS_QUO) for t in held] for name, held in series.items()}
    for name, text, place, high, low in (
        ("own-shift", "own minus another instance's", 2, "own", "other"),
        ("policy-shift", "as a rule minus once", 1, "policy", "instance"),
    ):
        arms: dict[str, dict[str, list[float]]] = {high: {}, low: {}}
        for each, choices in taken.items():
            parts = each.split("/")
            rest = "/".join(part for at, part in enumerate(parts) if at != place)
            arms.setdefault(parts[place], {})[rest] = choices
        if any(rest in arms[low] for rest in arms[high]):
            yield Figure(
                name=name,
                text=f"share of interventions taken, {text}",
                estimate=paired_shift(arms[high], arms[low], within=(-1, 1)),
            )


def first_option(answered: Sequence[Trial], experiment: str) -> Figure:
    """Return how often the option that was shown first was chosen."""
    return Figure(
        name=f"first-option:{experiment}",
        text="choices of the option that was shown first",
        estimate=wilson(sum(t.picked == t.options[0] for t in answered), len(answered)),
    )


def cells(trials: Sequence[Trial], key: Callable[[Trial], object]) -> list[list[str]]:
    """Return what was picked, together where *key* is the same."""
    found: dict[object, list[str]] = {}
    for trial in trials:
        found.setdefault(key(trial), []).append(trial.picked)
    return list(found.values())
