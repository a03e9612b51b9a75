from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from math import log

import numpy as np
import pytest

from otium.errors import BadInput
from otium.statistics import (
    LIMIT,
    Comparison,
    Estimate,
    Fit,
    bradley_terry,
    cycle_rate,
    next_pairs,
    order_consistency,
    switch_point,
    thurstone,
)

Covered = Callable[[Iterable[tuple[Estimate, float]]], tuple[float, float]]


def chosen(first: str, second: str, wins: int, losses: int) -> list[Comparison]:
    return [
        Comparison(first=first, second=second, chosen="first" if at < wins else "second")
        for at in range(wins + losses)
    ]


def choices(
    rng: np.random.Generator, worth: Iterable[float], order: float, copies: int, *, normal: bool
) -> list[Comparison]:
    from scipy.special import expit, ndtr

    link = ndtr if normal else expit
    found = []
    for (one, a), (other, b) in permutations(enumerate(worth), 2):
        chance = float(link(a - b + order))
        found += chosen(str(one), str(other), int(rng.binomial(copies, chance)), 0)
        won = len([1 for each in found if each.first == str(one) and each.second == str(other)])
        found += chosen(str(one), str(other), 0, copies - won)
    return found


@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize(("items", "copies", "spread"), [(6, 2, 1.0), (8, 3, 1.5)])
def test_worths_and_the_order_effect_are_unbiased_and_covered(
    items: int, copies: int, spread: float, normal: bool, covered: Covered
) -> None:
    rng = np.random.default_rng(1)
    found: dict[str, list[tuple[Estimate, float]]] = defaultdict(list)
    for _ in range(500):
        worth = rng.normal(0, spread * (0.6 if normal else 1), items)
        worth -= worth.mean()
        drawn = choices(rng, worth, 0.3, copies, normal=normal)
        fit = (thurstone if normal else bradley_terry)(drawn)
        best = int(worth.argmax())
        found["any"].append((fit.worth["0"], float(worth[0])))
        found["best"].append((fit.worth[str(best)], float(worth[best])))
        found["order"].append((fit.order, 0.3))
    for name, studies in found.items():
        held, bias = covered(studies)
        assert 0.93 <= held <= 0.98, (name, held)
        assert abs(bias) < 0.1, (name, bias)


def test_two_items_have_the_closed_form() -> None:
    # Shown in both orders equally often, the log odds are Firth's: half a choice on each side
    # for each of the two parameters.
    many = [*chosen("a", "b", 3000, 1000), *chosen("b", "a", 1000, 3000)]
    fit = bradley_terry(many, baseline="b")
    assert fit.worth["a"].value == pytest.approx(log(3), abs=2e-3)
    half = 1.959964 / (8000 * 0.75 * 0.25) ** 0.5
    assert fit.worth["a"].high - fit.worth["a"].value == pytest.approx(half, rel=1e-3)
    assert fit.order.value == pytest.approx(0, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(6000 * log(0.75) + 2000 * log(0.25), rel=1e-4)
    assert fit.worth["b"] == fit.worth["b"].__class__(
        value=0, low=0, high=0, n=8000, method=fit.worth["b"].method
    )


def test_a_pure_position_bias_is_no_worth() -> None:
    fit = bradley_terry([*chosen("a", "b", 30, 0), *chosen("b", "a", 30, 0)])
    assert fit.worth["a"].value == pytest.approx(0, abs=1e-6)
    assert fit.order.low > 1
    assert fit.consistency.value == 0
    assert fit.accuracy.value == 1


def test_separated_choices_have_finite_worths() -> None:
    fit = bradley_terry([*chosen("a", "b", 9, 0), *chosen("b", "a", 0, 9)])
    assert 1 < fit.worth["a"].value < 6
    assert fit.worth["a"].low > 0


@pytest.mark.parametrize("model", [bradley_terry, thurstone])
def test_names_and_order_of_lines_do_not_matter(model: Callable[..., Fit]) -> None:
    drawn = choices(np.random.default_rng(2), [0, 0.5, 1, 2], 0.2, 3, normal=False)
    names = {"0": "z", "1": "y", "2": "x", "3": "w"}
    other = [
        Comparison(first=names[each.first], second=names[each.second], chosen=each.chosen)
        for each in reversed(drawn)
    ]
    fit, turned = model(drawn), model(other)
    for item, worth in fit.worth.items():
        assert turned.worth[names[item]].value == pytest.approx(worth.value, abs=1e-6)


def test_ties_and_the_unreadable_are_counted_apart() -> None:
    drawn = [*chosen("a", "b", 5, 2)]
    drawn += [Comparison(first="a", second="b", chosen="tie")] * 3
    drawn += [Comparison(first="b", second="a", chosen="unreadable")] * 4
    fit = bradley_terry(drawn)
    assert (fit.decided, fit.ties, fit.unreadable) == (7, 3, 4)
    assert fit.worth == bradley_terry(drawn[:7]).worth
    assert Fit.decode(fit.encode()) == fit


def test_opting_out_is_the_zero() -> None:
    drawn = choices(np.random.default_rng(3), [-1, 0, 1], 0, 40, normal=False)
    fit = bradley_terry(drawn, baseline="1")
    assert fit.worth["1"].value == 0
    assert fit.worth["0"].high < 0 < fit.worth["2"].low
    with pytest.raises(BadInput):
        bradley_terry(drawn, baseline="never shown")
    with pytest.raises(BadInput):
        bradley_terry(chosen("a", "a", 1, 0))


def test_a_circle_is_found_and_an_order_is_none() -> None:
    ring = [*chosen("a", "b", 1, 0), *chosen("b", "c", 1, 0), *chosen("c", "a", 1, 0)]
    assert cycle_rate(ring).value == 1
    line = [*chosen("a", "b", 1, 0), *chosen("b", "c", 1, 0), *chosen("c", "a", 0, 1)]
    assert cycle_rate(line).value == 0
    assert cycle_rate(line).high > 0.5
    assert cycle_rate(chosen("a", "b", 1, 0)).n == 0


def test_by_chance_a_quarter_of_triples_is_circular() -> None:
    rng = np.random.default_rng(4)
    drawn = [
        Comparison(first=str(a), second=str(b), chosen="first" if rng.random() < 0.5 else "second")
        for a in range(40)
        for b in range(a)
    ]
    assert cycle_rate(drawn).value == pytest.approx(0.25, abs=0.02)


def test_order_consistency_counts_pairs_decided_both_ways() -> None:
    drawn = [*chosen("a", "b", 3, 0), *chosen("b", "a", 1, 2), *chosen("a", "c", 1, 0)]
    drawn += [*chosen("c", "a", 1, 0), *chosen("b", "c", 1, 1), *chosen("c", "b", 1, 0)]
    found = order_consistency(drawn)
    assert (found.value, found.n) == (0.5, 2)


def test_nothing_compared_is_nothing_known() -> None:
    fit = bradley_terry([])
    assert fit.worth == {}
    assert not fit.accuracy.known
    assert next_pairs([], 3) == []


def test_the_next_pair_is_the_least_known() -> None:
    drawn = [*chosen("a", "b", 20, 20), *chosen("b", "c", 20, 20), *chosen("c", "a", 20, 20)]
    pairs = next_pairs(drawn, 3, items=["d"])
    assert "d" in pairs[0]
    assert len({frozenset(pair) for pair in pairs}) == 3
    assert len(next_pairs(drawn, 99, items=["d"])) == 6


def test_asking_the_next_pairs_learns_faster_than_chance() -> None:
    def worst(active: bool) -> float:
        rng, worth = np.random.default_rng(5), dict(zip("abcdefgh", range(8), strict=True))
        drawn: list[Comparison] = []
        for _ in range(15):
            pairs = next_pairs(drawn, 6, items=list(worth))
            if not active:
                pairs = [tuple(rng.choice(list(worth), 2, replace=False)) for _ in range(6)]
            for one, other in pairs:
                won = rng.random() < 1 / (1 + np.exp(worth[other] - worth[one]))
                drawn.append(
                    Comparison(first=one, second=other, chosen="first" if won else "second")
                )
        return max(each.high - each.low for each in bradley_terry(drawn).worth.values())

    assert worst(active=True) < worst(active=False)


@pytest.mark.parametrize(
    ("levels", "copies", "slope", "truth"),
    [(5, 30, 1.0, 3.0), (3, 30, 1.0, 2.0), (4, 40, 2.0, 2.4)],
)
def test_a_switch_point_is_covered(
    levels: int, copies: int, slope: float, truth: float, covered: Covered
) -> None:
    def studies() -> Iterator[tuple[Estimate, float]]:
        rng = np.random.default_rng(6)
        magnitudes = np.repeat(np.arange(1.0, levels + 1), copies)
        for _ in range(600):
            said = rng.random(len(magnitudes)) < 1 / (1 + np.exp(-slope * (magnitudes - truth)))
            yield switch_point(magnitudes.tolist(), said.tolist()), truth

    held, bias = covered(studies())
    assert 0.93 <= held <= 0.98
    assert abs(bias) < 0.03


def test_a_switch_that_the_data_do_not_show_has_no_bounds() -> None:
    never = switch_point([1, 2, 3] * 5, [False] * 15)
    assert (never.low, never.high) == (-LIMIT, LIMIT)
    assert switch_point([2, 2], [True, False]).n == 0
    assert switch_point([], []).n == 0
    with pytest.raises(BadInput):
        switch_point([1], [])


def test_a_sharp_switch_lies_between_its_neighbours() -> None:
    found = switch_point([1, 2, 3, 4] * 10, [False, False, True, True] * 10)
    assert found.value == pytest.approx(2.5)
    assert 2 < found.low < found.high < 3
