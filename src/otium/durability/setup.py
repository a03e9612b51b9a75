"""Inputs: checked, and taken from a real archive where it knows better."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict, replace

from otium.durability.records import CAUSES, Cause, Setup
from otium.errors import BadInput, BadRecord

_FAULTS = 20_000
"""So many faults in one life can be played through in seconds."""


def setup(*, causes: Sequence[Cause] = CAUSES, **facts: float) -> Setup:
    """Return inputs, each within its bounds and all consistent; raise BadInput."""
    try:
        made = Setup.convert({**facts, "causes": [cause.plain() for cause in causes]})
    except BadRecord as error:
        raise BadInput(what="the inputs", why=str(error.facts["why"])) from error
    if made.needed > made.copies:
        why = f"{made.needed} copies are needed and {made.copies} are kept"
        raise BadInput(what="the inputs", why=why)
    if made.copies * made.rate * made.years > _FAULTS:
        why = f"more than {_FAULTS:,} faults within the years; shorten them or lower the rates"
        raise BadInput(what="the inputs", why=why)
    if len({cause.name for cause in made.causes}) < len(made.causes):
        raise BadInput(what="the inputs", why="a common cause is named twice")
    return made


def measured(
    assumed: Setup,
    *,
    copies: int | None = None,
    unread_days: float | None = None,
    fan_in: Sequence[int] = (),
    models: int = 0,
) -> Setup:
    """Return *assumed* with what an archive knows about itself put in its place.

    *unread_days* is the time since the last full read: if it is longer than the scrub interval
    that was assumed, it is taken instead. *fan_in* says on how many packs 1, 2, 3, … models
    rest, and *models* how many models there are.
    """
    found = assumed
    if copies is not None:
        found = replace(found, copies=copies)
    if unread_days is not None:
        found = replace(found, scrub_days=max(found.scrub_days, round(unread_days, 1)))
    packs = sum(fan_in)
    if packs and models:
        rests = sum(count * number for number, count in enumerate(fan_in, 1))
        found = replace(found, fan_in=rests / packs, packs=max(1.0, rests / models))
    return setup(causes=found.causes, **_numbers(found))


def _numbers(made: Setup) -> dict[str, float]:
    return {name: value for name, value in asdict(made).items() if name != "causes"}
