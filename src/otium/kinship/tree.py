"""Which model is coded against which: the cheapest tree in which no model lies deep.

A model's depth is the number of models that must be decoded before it. Depth 0 stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from otium.errors import TooDeep, UnknownModel
from otium.kinship.cover import plan_exactly, plan_nearly

DEPTH = 3
"""The deepest that a model may lie."""
EXACT = 10
"""Up to so many models the plan is the cheapest there is."""
HOP = 0.01
"""What one more model to decode must save, as a share of standing alone."""


@dataclass(frozen=True)
class Candidate:
    """A model that another may be coded against, at *cost* bytes."""

    model: str
    depth: int
    cost: float


@dataclass(frozen=True)
class Family:
    """Models that are planned together, with what each way to keep them costs in bytes."""

    alone: Mapping[str, float]
    """What each model takes if it stands alone."""
    costs: Mapping[tuple[str, str], float]
    """What a model takes given a parent, by (parent, model)."""
    forced: Mapping[str, str] = field(default_factory=dict)
    """Parents that a person chose, by model. A pair without a cost costs what alone does."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """Depths of models that the archive keeps already, which may become parents."""


def choose_parent(
    candidates: Iterable[Candidate], alone: float, limit: int = DEPTH, hop: float = HOP
) -> Candidate | None:
    """Return the parent at which a model is best kept, or None if it should stand alone.

    *alone* is its cost in bytes without a parent. Each step to restore it counts as *hop* of
    that, so that of two that cost nearly the same the shallower one is taken.
    """
    able = [candidate for candidate in candidates if candidate.depth < limit]
    best = min(able, key=lambda c: (c.cost + hop * alone * (c.depth + 1), c.model), default=None)
    if best is None or best.cost + hop * alone * (best.depth + 1) >= alone:
        return None
    return best


def plan_tree(family: Family, depth: int = DEPTH) -> dict[str, str | None]:
    """Return the parent of each model in ``family.alone``, or None where it stands alone.

    The cheapest plan for up to 10 models (dynamic programming over sets), otherwise a local
    search from the best star; never dearer than that star or than all standing alone, unless
    a person's choice rules those out. Raises TooDeep if chosen parents make a longer chain or
    a circle, UnknownModel if one is not there.
    """
    _check_forced(family, depth)
    models = sorted(family.alone)
    fixed = sorted(set(family.kept) - set(models))
    alone = [_alone(family, model) for model in models]
    costs = [[_cost(family, parent, model) for model in models] for parent in models]
    given = [
        [
            min((_cost(family, f, m) for f in fixed if family.kept[f] < level), default=inf)
            for m in models
        ]
        for level in range(depth + 1)
    ]
    if len(models) <= EXACT:
        levels = plan_exactly(alone, costs, given)
    else:
        number = {model: at for at, model in enumerate(models)}
        pairs = family.forced.items()
        forced = {number[m]: number[p] for m, p in pairs if m in number and p in number}
        levels = plan_nearly(alone, costs, given, forced)
    return {
        model: _parent(family, model, dict(zip(models, levels, strict=True))) for model in models
    }


def cost_of(family: Family, parents: Mapping[str, str | None]) -> float:
    """Return how many bytes the models of *family* take with these *parents*."""
    return sum(
        family.alone[model] if parent is None else _cost(family, parent, model)
        for model, parent in parents.items()
    )


def depths_of(parents: Mapping[str, str | None], kept: Mapping[str, int]) -> dict[str, int]:
    """Return the depth of each model, given those of models that are *kept* already."""
    found: dict[str, int] = dict(kept)
    for model in parents:
        chain = list(_chain(model, parents, found))
        top = parents.get(chain[-1])
        start = -1 if top is None else found[top]
        for step, name in enumerate(reversed(chain), 1):
            found[name] = start + step
    return {model: found[model] for model in parents}


def _chain(
    model: str, parents: Mapping[str, str | None], known: Mapping[str, int]
) -> Iterator[str]:
    at: str | None = model
    while at is not None and (at not in known or at == model):
        yield at
        at = parents.get(at)


def _parent(family: Family, model: str, levels: Mapping[str, int]) -> str | None:
    """Return the cheapest parent that lies above *model*, the shallowest of equals."""
    if levels[model] == 0:
        return None
    above = {**levels, **{m: d for m, d in family.kept.items() if m not in levels}}
    able = [name for name, level in above.items() if level < levels[model]]
    return min(able, key=lambda name: (_cost(family, name, model), above[name], name))


def _alone(family: Family, model: str) -> float:
    return inf if model in family.forced else family.alone[model]


def _cost(family: Family, parent: str, model: str) -> float:
    """Return what *model* takes given *parent*; a parent that a person chose is the only one."""
    if parent == model or family.forced.get(model, parent) != parent:
        return inf
    missing = family.alone[model] if model in family.forced else inf
    return family.costs.get((parent, model), missing)


def _check_forced(family: Family, depth: int) -> None:
    """Refuse chosen parents that are not there, go in a circle or lie too deep."""
    for model, chosen in family.forced.items():
        if chosen not in family.alone and chosen not in family.kept:
            raise UnknownModel(model=chosen)
        steps, at = 0, model
        while at in family.forced and at not in family.kept and steps <= depth:
            steps, at = steps + 1, family.forced[at]
        steps += family.kept.get(at, 0)
        if steps > depth:
            raise TooDeep(model=model, parent=chosen, depth=steps, limit=depth)
