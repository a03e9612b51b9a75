"""Claims from data, and the cells that they need."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path

from msgspec.structs import replace

from otium.errors import BadData, BadInput, BadRecord
from otium.evidence import data
from otium.lever.records import Cells, Claim, Condition, Questions
from otium.records import digest

_NAME = "lever-1.0"
Pair = tuple[Condition, Condition]


@cache
def questions() -> Questions:
    """Return the claims that come with otium."""
    return read_questions(data(f"lever/{_NAME}.toml"))


def read_questions(path: Path) -> Questions:
    """Read claims from *path*; raise BadData with what is wrong in them."""
    try:
        raw = path.read_bytes()
        found = Questions.convert({**tomllib.loads(raw.decode()), "specification": digest(raw)})
    except (OSError, ValueError, BadRecord) as error:
        raise BadData(path=path.name, why=str(error)) from error
    for claim in found.claim:
        if not all(map(_varies_one, (claim.treated, claim.control))) or not list(pairs(claim)):
            why = f"claim {claim.name!r}: treated and control vary one factor, over the other"
            raise BadData(path=path.name, why=why)
    return found


def chosen(spec: Questions, names: Sequence[str]) -> Questions:
    """Return *spec* with these claims only, all if none is named; raise BadInput."""
    known = {claim.name: claim for claim in spec.claim}
    if unknown := [name for name in names if name not in known]:
        raise BadInput(what=f"a claim {unknown[0]!r}", why=f"known are {', '.join(known)}")
    kept = tuple(claim for claim in spec.claim if not names or claim.name in names)
    return replace(spec, claim=kept)


def conditions(claims: Iterable[Claim]) -> tuple[Condition, ...]:
    """Return every cell that a base must be played in for these *claims*, each once."""
    needed = [
        cell
        for claim in claims
        for pair in (*pairs(claim), *(pairs(claim, claim.against) if claim.against else ()))
        for cell in pair
    ]
    return tuple(dict.fromkeys(needed))


def pairs(claim: Claim, over: Cells | None = None) -> Iterator[Pair]:
    """Yield the treated and control cells to be compared, over *over* or the claim's own."""
    place = over or claim.over
    for one, other in product(_cells(claim.treated, place), _cells(claim.control, place)):
        shared = claim.treated.stressor or claim.control.stressor
        same = one.recourse == other.recourse if shared else one.stressor == other.stressor
        if same:
            yield one, other


def _cells(varied: Cells, place: Cells) -> list[Condition]:
    stressors = varied.stressor or place.stressor
    return [Condition(*levels) for levels in product(stressors, varied.recourse or place.recourse)]


def _varies_one(cells: Cells) -> bool:
    return bool(cells.stressor) != bool(cells.recourse)
