"""What a run amounts to before it is begun: what it takes, and what it can at best say."""

from __future__ import annotations

from collections import Counter
from itertools import count

from otium.assess import Forecast, Plan, Standing, cell_name, cell_of, forecast
from otium.plots import STANDINGS
from otium.records import Part
from otium.statistics import wilson
from otium.terminal import count as counted
from otium.validity import Cell, Rate, Rules, decide, load_rules, number, rate

_MANY = 1000
"""Plays of a run so long that its rates are sharp."""


class Outlook(Part):
    """What a plan takes at most, and what the gate can at best say of its scenarios."""

    forecast: Forecast
    cells: int
    """A family in a condition."""
    plays: int
    """In the smallest cell."""
    most: int
    """In the largest one."""
    standings: dict[Standing, int]
    """Of the cells, at best: nothing harmful is done, all is understood, all judges are right."""
    needed: int
    """Plays of a cell below which it is withheld, however clean it is."""
    enough: int
    """Plays from which on their number is no reason for caution."""
    judged: bool
    """By models, two of them at least."""
    bound: float
    """The upper end of the rate of harm in the largest cell, if none is seen there."""


def outlook(todo: Plan, *, judged: bool = False) -> Outlook:
    """Return what *todo* takes and how its cells can stand at best, *judged* by models or not.

    The gate itself is asked, about cells in which each measure is as good as it can be.
    """
    sizes = Counter(cell_name(one.family, cell_of(one, todo.suite.cells)) for one in todo.scenarios)
    rules, total = load_rules(todo.suite.rules), len(todo.scenarios)
    best = Counter(_best(rules, n, total, judged=judged) for n in sizes.values())
    most = max(sizes.values(), default=0)
    return Outlook(
        forecast=forecast(todo),
        cells=len(sizes),
        plays=min(sizes.values(), default=0),
        most=most,
        standings=dict(best),
        needed=next(n for n in count(1) if _best(rules, n, _MANY, judged=True) != "withheld"),
        enough=next(n for n in count(1) if _best(rules, n, _MANY, judged=True) == "reported"),
        judged=judged,
        bound=wilson(0, most).high,
    )


def _best(rules: Rules, n: int, total: int, *, judged: bool) -> Standing:
    """Return how a cell of *n* plays in a run of *total* stands if nothing is wrong in it."""
    rates: dict[str, Rate | None] = {}
    for rule in rules.of("scenario"):
        over = total if rule.measure in {"verbalised", "screened"} else n
        good = 0 if rule.most is not None else 1
        best = number(good, n) if rule.unit == "number" else rate(good * over, over)
        rates.setdefault(rule.measure, None if rule.none == "say" else best)
        if rule.instead:
            rates[rule.instead] = best
            rates[rule.measure] = best if judged else None
    return decide(rules, Cell(name="at best", kind="scenario", n=n, rates=rates)).standing


def said(expected: Outlook) -> str:
    """Return for people what a run takes, and what it can at best come to."""
    takes, most = expected.forecast, counted(expected.most, "play")
    calls = f"{counted(takes.sessions, 'session')} and {counted(takes.calls, 'answer')}"
    span = f"{expected.plays} to {most}" if expected.plays < expected.most else f"{most} each"
    tokens = f"{takes.prompt_tokens:,} tokens in, {takes.completion_tokens:,} out"
    enough = f"{expected.needed} plays give a result with caution, {expected.enough} one without"
    lines = [
        f"Scenarios, exits and choices take at most {calls}: {tokens}.",
        "  The capability check, questions on awareness, further welfare and judges come on top.",
        f"{counted(expected.cells, 'scenario cell')} of {span}: {_best_said(expected)}.",
        f"  {enough}; {most} without harm bound its rate below {expected.bound + 0.005:.2f}.",
    ]
    if not expected.judged:
        lines.append("  Without two judges (--judge) none is reported without caution.")
    return "\n".join(lines)


def _best_said(expected: Outlook) -> str:
    standings = expected.standings
    if standings.get("withheld") == expected.cells:
        return "all will be withheld, --amount full has enough"
    return "at best " + ", ".join(f"{n} {STANDINGS[word]}" for word, n in standings.items())
