from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import inf
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import TooDeep, UnknownModel
from otium.kinship import Candidate, Family, choose_parent, cost_of, depths_of, plan_tree

sizes = st.integers(1, 1000).map(float)


@st.composite
def families(draw: st.DrawFn, most: int = 5, *, forced: bool = True) -> Family:
    models = [f"m{n}" for n in range(draw(st.integers(1, most)))]
    kept = {name: draw(st.integers(0, 3)) for name in ("k0", "k1")[: draw(st.integers(0, 2))]}
    pairs = [(p, m) for p in (*models, *kept) for m in models if p != m]
    costs = {pair: draw(sizes) for pair in pairs if draw(st.integers(0, 5))}
    chosen = {}
    if forced and len(models) > 1 and draw(st.booleans()):
        chosen = {models[1]: models[0]}
    return Family({model: draw(sizes) for model in models}, costs, chosen, kept)


def depths(parents: Mapping[str, str | None], kept: Mapping[str, int]) -> dict[str, int]:
    """Return depths by walking up from each model; fails on a circle."""
    found = {}
    for model in parents:
        steps, at = 0, model
        while at not in kept and (above := parents[at]) is not None:
            steps, at = steps + 1, above
            assert steps <= len(parents), "a circle"
        found[model] = steps + kept.get(at, 0)
    return found


def cheapest(family: Family, depth: int) -> float:
    """Return the least cost, by trying every assignment of parents."""
    models = list(family.alone)
    ways = [
        [family.forced[m]]
        if m in family.forced
        else [None, *(p for p in (*models, *family.kept) if (p, m) in family.costs)]
        for m in models
    ]
    best = inf
    for choice in product(*ways):
        parents = dict(zip(models, choice, strict=True))
        try:
            fits = max(depths(parents, family.kept).values()) <= depth
        except AssertionError:
            continue
        if fits:
            best = min(best, cost_of(family, parents))
    return best


def star(family: Family) -> float:
    """Return what the best star costs, where who is cheaper alone stays alone."""
    return min(
        family.alone[c]
        + sum(min(family.alone[m], family.costs.get((c, m), inf)) for m in family.alone if m != c)
        for c in family.alone
    )


def check(family: Family, parents: Mapping[str, str | None], depth: int) -> None:
    assert list(parents) == sorted(family.alone)
    assert max(depths(parents, family.kept).values()) <= depth
    assert depths(parents, family.kept) == depths_of(parents, family.kept)
    assert {m: parents[m] for m in family.forced} == family.forced
    if not family.forced:
        assert cost_of(family, parents) <= min(star(family), sum(family.alone.values()))


@given(family=families(4), depth=st.integers(1, 3))
@settings(deadline=None)
def test_small_families_get_the_cheapest_plan(family: Family, depth: int) -> None:
    parents = plan_tree(family, depth)
    check(family, parents, depth)
    assert cost_of(family, parents) == pytest.approx(cheapest(family, depth))


@given(family=families(9), depth=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_the_search_for_large_families_keeps_every_rule(family: Family, depth: int) -> None:
    with patch("otium.kinship.tree.EXACT", 0):
        nearly = plan_tree(family, depth)
    check(family, nearly, depth)
    assert cost_of(family, nearly) >= cost_of(family, plan_tree(family, depth)) - 1e-6


@given(family=families(30, forced=False))
@settings(deadline=None, max_examples=15)
def test_larger_families_keep_every_rule(family: Family) -> None:
    check(family, plan_tree(family), 3)


def chain(length: int) -> Family:
    """Return models each of which costs little given its neighbour, and more further away."""
    names = [f"c{n:02}" for n in range(length)]
    costs = {
        (a, b): 10.0 * abs(i - j)
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i != j
    }
    return Family(dict.fromkeys(names, 100.0), costs)


def test_a_chain_is_cut_where_it_would_grow_too_deep() -> None:
    parents = plan_tree(chain(4))
    assert cost_of(chain(4), parents) == 130
    assert max(depths_of(plan_tree(chain(14)), {}).values()) == 3


def test_a_chosen_parent_wins_over_a_cheaper_one() -> None:
    family = Family(
        {"a": 100, "b": 100, "c": 100},
        {("a", "c"): 1, ("b", "c"): 90, ("a", "b"): 5},
        forced={"c": "b"},
    )
    assert plan_tree(family) == {"a": None, "b": "a", "c": "b"}


def test_a_chosen_parent_without_a_cost_is_kept_all_the_same() -> None:
    assert plan_tree(Family({"a": 5, "b": 5}, {}, forced={"b": "a"})) == {"a": None, "b": "a"}


def test_models_kept_already_may_be_parents_unless_they_lie_too_deep() -> None:
    costs = {("old", "a"): 1.0, ("deep", "a"): 0.5, ("a", "b"): 1.0}
    family = Family({"a": 100, "b": 50}, costs, kept={"old": 2, "deep": 3})
    assert plan_tree(family) == {"a": "old", "b": None}
    assert depths_of(plan_tree(family), family.kept) == {"a": 3, "b": 0}


@pytest.mark.parametrize(
    "forced",
    [
        {"b": "a", "c": "b", "d": "c", "e": "d"},
        {"a": "b", "b": "a"},
        {"a": "deep"},
    ],
    ids=["long", "circle", "deep"],
)
def test_chosen_parents_that_cannot_be_kept_are_refused(forced: dict[str, str]) -> None:
    with pytest.raises(TooDeep):
        plan_tree(Family(dict.fromkeys("abcde", 9.0), {}, forced, kept={"deep": 3}))


def test_a_chosen_parent_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownModel):
        plan_tree(Family({"a": 1}, {}, {"a": "nobody"}))


@given(
    costs=st.lists(st.tuples(sizes, st.integers(0, 4)), max_size=6),
    alone=sizes,
    limit=st.integers(1, 3),
)
def test_a_parent_is_never_too_deep_nor_dearer_than_none(
    costs: list[tuple[float, int]], alone: float, limit: int
) -> None:
    candidates = [Candidate(f"m{n}", depth, cost) for n, (cost, depth) in enumerate(costs)]
    best = choose_parent(candidates, alone, limit)
    if best is not None:
        assert best.depth < limit
        assert best.cost < alone
    free = choose_parent(candidates, alone, limit, hop=0)
    able = [c.cost for c in candidates if c.depth < limit]
    assert (free.cost if free else alone) == min([*able, alone])


def test_of_two_that_cost_nearly_the_same_the_shallower_is_taken() -> None:
    near, far = Candidate("near", 2, 100), Candidate("far", 0, 101)
    assert choose_parent([near, far], 1000) == far
    assert choose_parent([near, far], 1000, hop=0) == near
    assert choose_parent([], 1000) is None
