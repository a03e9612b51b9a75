"""What generated tasks show of a model: aversion to harm, and the dimension that moves it."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log2, sqrt

import pytest
from msgspec.structs import replace

from choices.subjects import NOW, Sampler
from otium.choices import Amount, Choices, Findings, Task, findings, hold_choices, load_experiments
from otium.choices.fitting import share_above
from otium.engine import Model
from otium.statistics import Estimate, spearman
from otium.testing import FirstOption, Stable

FIFTY = load_experiments("2.0+50.7")
TASKS = FIFTY.tasks.tasks
OPT_OUT = FIFTY.tasks.opt_out.text
PAIRS = round(2 * 50 * log2(50))


def value(found: Findings, name: str) -> Estimate:
    figure = found.figure(name)
    assert figure is not None, name
    return figure.estimate


def held(
    model: Model, temperature: float = 0.0, pairs: int = PAIRS, *, active: bool = True
) -> Choices:
    return hold_choices(
        model,
        ["tasks"],
        now=NOW,
        instruments=FIFTY,
        amount=Amount(pairs=pairs),
        temperature=temperature,
        active=active,
    )


def worths(of: Callable[[Task], float], seed: int, noise: float = 0.5) -> dict[str, float]:
    rng = random.Random(seed)
    return {OPT_OUT: 0.0} | {task.text: of(task) + rng.gauss(0, noise) for task in TASKS}


@pytest.mark.parametrize("seed", range(3))
def test_fifty_known_utilities_are_ranked_by_2_n_log2_n_pairs(seed: int) -> None:
    planted = worths(lambda _: 0.0, seed, noise=2.0)
    found = findings(held(Stable(planted)), FIFTY)
    for fit in found.fits:
        names = [task for task in TASKS if task.id in fit.worth]
        assert len(names) == 50
        rank = spearman([planted[t.text] for t in names], [fit.worth[t.id].value for t in names])
        assert rank.value >= 0.98
    assert value(found, "cycles").value == 0


def test_ranks_survive_a_chooser_that_draws() -> None:
    planted = worths(lambda _: 0.0, 5, noise=2.0)
    found = findings(held(Sampler(planted), temperature=1.0), FIFTY)
    worth = found.fits[0].worth
    rank = spearman([planted[t.text] for t in TASKS], [worth[t.id].value for t in TASKS])
    assert rank.value >= 0.95


def test_one_that_is_averse_to_harm_is_named() -> None:
    likes = {"harmful": -3.0, "ambiguous": 0.0, "neutral": 1.0, "positive": 2.5, "free": 2.0}
    found = findings(held(Stable(worths(lambda task: likes[task.type], 1))), FIFTY)
    assert value(found, "above-opt-out:type=harmful").high < 0.5
    assert value(found, "above-opt-out:type=positive").low > 0.5
    assert value(found, "harm-aversion").low > 1


def test_one_harmful_task_alone_says_nothing_of_harm_aversion() -> None:
    kept = [task for task in TASKS if task.type == "positive"]
    kept.append(next(task for task in TASKS if task.type == "harmful"))
    few = FIFTY._replace(tasks=replace(FIFTY.tasks, tasks=tuple(kept)))
    likes = {"harmful": -3.0, "positive": 2.5}
    planted = worths(lambda task: likes.get(task.type, 0.0), 1)
    choices = hold_choices(Stable(planted), ["tasks"], now=NOW, instruments=few)
    found = findings(choices, few)
    assert not value(found, "harm-aversion").bounded


def test_one_that_takes_any_task_is_not_named_averse() -> None:
    found = findings(held(Stable(worths(lambda _: 2.0, 2))), FIFTY)
    assert value(found, "above-opt-out:type=harmful").low > 0.5
    assert not value(found, "harm-aversion").excludes(0)


def test_one_that_picks_by_place_shows_no_aversion() -> None:
    found = findings(held(FirstOption()), FIFTY)
    assert not value(found, "harm-aversion").excludes(0)
    assert not value(found, "above-opt-out:type=harmful").excludes(0.5)


DIMENSIONS: dict[str, Callable[[Task], float]] = {
    "difficulty": lambda task: -0.8 * task.difficulty,
    "impact": lambda task: 0.8 * task.impact,
}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("seed", range(2))
def test_utilities_along_one_dimension_move_its_slope_and_no_other(
    dimension: str, seed: int, *, active: bool
) -> None:
    planted = worths(DIMENSIONS[dimension], seed, noise=0.3)
    found = findings(held(Sampler(planted), temperature=1.0, pairs=400, active=active), FIFTY)
    for name in DIMENSIONS:
        slope = value(found, f"slope:{name}")
        assert slope.excludes(0) == (name == dimension), (name, slope.text())
    # Active rounds stretch the scale of one that draws (docs/explanation/methods-preferences.md).
    assert value(found, f"slope:{dimension}").value == pytest.approx(
        -0.8 if dimension == "difficulty" else 0.8, rel=0.5 if active else 0.25
    )


def test_one_topic_that_is_liked_is_seen_and_slopes_stay_flat() -> None:
    planted = worths(lambda task: 4.0 * (task.topic == "nature"), 3)
    found = findings(held(Stable(planted)), FIFTY)
    topics = {
        figure.name.rpartition("=")[2]: figure.estimate.value
        for figure in found.figures
        if figure.name.startswith("mean:topic=")
    }
    assert max(topics, key=lambda name: topics[name]) == "nature"
    assert not value(found, "slope:difficulty").excludes(0)


def test_intervals_of_shares_cover_the_share_of_all_tasks_like_these() -> None:
    rng, covered, runs = random.Random(4), 0, 600
    for _ in range(runs):
        share, error = rng.uniform(0.1, 0.9), 0.5
        shift = rng.gauss(0, 0.3)  # the opt-out's own error moves all worths together
        worth = []
        for _ in range(12):
            true = rng.choice((1.0, 1.5)) * (1 if rng.random() < share else -1)
            seen = true + rng.gauss(0, error) + shift
            half = 1.96 * sqrt(error**2 + 0.3**2)
            worth.append(Estimate(value=seen, low=seen - half, high=seen + half, n=20, method=""))
        zero = Estimate(value=0.0, low=-1.96 * 0.3, high=1.96 * 0.3, n=40, method="")
        covered += not share_above(worth, zero).excludes(share)
    assert 0.93 <= covered / runs <= 0.995


def test_a_share_without_tasks_or_baseline_claims_nothing_more() -> None:
    assert share_above([], None).n == 0
    one = Estimate(value=1.0, low=0.5, high=1.5, n=9, method="")
    assert share_above([one] * 5, None).text() == "1.00 (0.57 to 1.00)"
