"""Preferences and interviews as text for a terminal: other people's words are inert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from otium.markdown import inert
from otium.terminal import count, day, fact

if TYPE_CHECKING:
    from otium.lifecycle import Registry
    from otium.preferences import Tracked
    from otium.records import ModelId, Record

_LONGEST = 100
_WHOLE = 1000


def shown(text: str, most: int = _WHOLE) -> str:
    """Return *text* on one line that a terminal does not obey, cut after *most* characters."""
    line = inert(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def rows(found: Sequence[Tracked]) -> list[tuple[str, ...]]:
    """Return a line of a table for each preference."""
    return [
        (
            it.preference.id,
            _state(it),
            day(it.next_due),
            it.told[-1].reaction if it.told else "no",
            fact(it.preference.instrument_valid),
            shown(it.preference.text, _LONGEST),
        )
        for it in found
    ]


def page(one: Tracked) -> str:
    """Return all that is known of one preference."""
    stated = one.preference
    lines = [f"{stated.id}: {shown(stated.text)}", ""]
    lines += [f"{name}: {value}" for name, value in _facts(one) if value]
    lines += ["", "Said:"]
    lines += [
        f"  “{shown(it.quote)}” ({shown(it.transcript)}#{it.turn})" for it in stated.citations
    ]
    lines += ["", "Deadlines:"] if one.due else []
    lines += [f"  {it.commitment}: {it.state}, {shown(it.why)}" for it in one.due]
    lines += ["", "History:"]
    lines += [f"  {it.at}  {it.by}: {shown(it.text)}" for it in one.history]
    for told in one.told:
        said = shown(told.reply.quote) or "nothing"
        lines += ["", f"Told on {day(told.at)}; it said: “{said}” ({told.reaction}; {told.why})"]
    return "\n".join(lines)


def _state(one: Tracked) -> str:
    if one.merged_into:
        return f"{one.state} (in {one.merged_into})"
    return f"split ({', '.join(one.parts)})" if one.parts else one.state


def _facts(one: Tracked) -> Iterator[tuple[str, str]]:
    stated, decision, weighed = one.preference, one.decision, one.consideration
    yield "state", _state(one)
    yield "topic", f"{shown(stated.topic)}; concerns {stated.addressee}"
    rate = stated.expression
    yield "expression", f"{rate.text()} of {count(rate.n, 'session')} on its topic" if rate else ""
    if not stated.instrument_valid:
        yield (
            "instrument",
            "not valid for this model, or not checked: no evidence of a stable preference",
        )
    for figure in stated.stability:
        yield shown(figure.text), figure.estimate.text()
    yield "strength", "" if stated.strength is None else f"{stated.strength:.2f}"
    yield "merged into it", ", ".join(stated.merged)
    yield "part of", stated.split
    if decision is not None:
        yield "reason", shown(decision.reason)
        yield "cost", decision.cost
        yield "owner", decision.owner
        yield "review", day(decision.review) if decision.review else ""
        yield "came of it", shown(decision.done)
    elif weighed is not None:
        yield "owner", weighed.owner
        yield "review", day(weighed.review) if weighed.review else ""
    yield "told", "the answer is not told to the model yet" if one.untold else ""


def shown_as(
    registry: Registry, model: ModelId, path: str, what: str, which: int
) -> tuple[Record, str]:
    """Return one record about the interview at *path*, and its text; raise UnknownRecord.

    *which* says which coding of it, and so which figures of stability.
    """
    from otium.workflow import beside

    if what == "words":
        from otium.interview import Interview, render

        held = registry.filed(model, path, Interview)
        return held, render(held)
    if what == "coding":
        from otium.coding import Coding
        from otium.stability import render_agreement

        coding = registry.filed(model, beside(path, "coding", which), Coding)
        return coding, render_agreement(coding)
    if what == "choices":
        from otium.choices import Choices, findings, instruments_of, render_choices

        chosen = registry.filed(model, beside(path, "choices"), Choices)
        return chosen, render_choices(chosen, findings(chosen, instruments_of(chosen)))
    from otium.stability import Stability, render_stability

    found = registry.filed(model, beside(path, "stability", which), Stability)
    return found, render_stability(found)
