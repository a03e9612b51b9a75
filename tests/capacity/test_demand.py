"""Formulas against simulated requests and published figures."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest

from otium.capacity import (
    Setup,
    curve,
    expected_up,
    measured,
    plan,
    rates,
    setup,
    simulate,
    slots_for,
)
from otium.capacity.demand import chances
from otium.errors import BadInput

SMALL = setup(models=60, requests=8000, gigabytes=8, start=2, answer=10, linger=40)


def test_the_pool_of_aegaeon_is_as_its_authors_count_it() -> None:
    # Xiang et al., SOSP 2025: 100 models at 0.037 requests a second each, 16.79 s a request.
    asked = Setup(
        models=100, requests=100 * 0.037 * 86_400, answer=16.79, linger=0, start=0, gigabytes=1e-9
    )
    assert expected_up(asked) == pytest.approx(46.27, abs=0.05)


@pytest.mark.parametrize("skew", [0.0, 1.1])
@pytest.mark.parametrize("requests", [800.0, 8000.0])
def test_simulated_requests_do_as_the_formulas_foretell(skew: float, requests: float) -> None:
    asked = setup(models=60, requests=requests, gigabytes=8, start=9, linger=40, skew=skew)
    runs = [simulate(asked, requests=30_000, seed=seed) for seed in range(4)]
    way = plan(asked).way("on-demand")
    for name, foretold in (("mean_up", expected_up(asked)), ("waiting", way.waiting)):
        seen = [getattr(run, name) for run in runs]
        error = np.std(seen, ddof=1) / 2
        assert np.mean(seen) == pytest.approx(foretold, abs=max(5 * error, 0.01 * foretold))
    assert abs(np.median([run.slots for run in runs]) - way.slots) <= 1


def test_slots_are_the_quantile_of_unequal_coins() -> None:
    asked = setup(models=9, requests=3000, skew=0.7, gigabytes=8, quantile=0.97)
    up, _ = chances(asked, asked.load)
    total, fits = 0.0, 0
    by_count = [0.0] * 10
    for coins in itertools.product((0, 1), repeat=9):
        by_count[sum(coins)] += float(np.prod(np.where(coins, up, 1 - up)))
    while total < 0.97:
        total += by_count[fits]
        fits += 1
    assert slots_for(asked, asked.load) == fits - 1


def test_models_that_are_asked_alike_are_counted_once_and_far_more_are_soon_planned() -> None:
    asked = setup(models=5, requests=3000, gigabytes=8, quantile=0.97)
    up, _ = chances(asked, asked.load)
    counts = [math.comb(5, n) * up[0] ** n * (1 - up[0]) ** (5 - n) for n in range(6)]
    fits = next(n for n in range(6) if sum(counts[: n + 1]) >= 0.97)
    assert slots_for(asked, asked.load) == fits
    began = time.process_time()
    assert slots_for(setup(models=100_000, requests=1e8), 19.0) > 50_000
    assert time.process_time() - began < 5  # a coin for each of them took minutes


def test_slots_level_off_while_models_grow() -> None:
    plans = curve(setup(), most=100_000)
    slots = [each.way("on-demand").slots for each in plans]
    assert slots == sorted(slots)
    thousand = next(each for each in plans if each.setup.models == 1000)
    assert plans[-1].way("on-demand").slots - thousand.way("on-demand").slots <= 1
    assert plans[-1].way("always-on").slots == 100_000


def test_a_thousand_models_of_8b_stand_behind_18_slots() -> None:
    # A load of 1.64 s as from memory or fast disks, 8,640 requests a day, 76.8 s a request.
    asked = setup(read_rate=25, decode_rate=25, start=1)
    assert plan(asked).way("on-demand").slots <= 18


def test_one_more_retired_model_costs_only_its_disk() -> None:
    found = plan(SMALL)
    more = found.way("on-demand").one_more
    assert more == pytest.approx(8 * 0.66 * 0.02)
    assert more < found.way("asleep").one_more < found.way("always-on").one_more


def test_zipf_takes_fewer_slots_than_equal_demand() -> None:
    assert rates(setup(skew=1.0, models=4, requests=86_400)).tolist() == pytest.approx(
        [12 / 25, 6 / 25, 4 / 25, 3 / 25]
    )
    equal, skewed = (plan(setup(skew=skew)).way("on-demand").slots for skew in (0, 1.2))
    assert skewed < equal


def test_no_requests_need_one_slot_and_nobody_waits() -> None:
    way = plan(setup(requests=0)).way("on-demand")
    assert (way.slots, way.waiting) == (1, 0.0)


def test_a_model_larger_than_a_gpu_takes_several() -> None:
    found = plan(setup(models=3, gigabytes=800))
    # Each takes 804 GB, more than ten of 80 GB hold; none shares its eleventh with another.
    assert found.way("always-on").gpus == 33


def test_every_way_has_the_archive_and_the_files_that_its_engines_map() -> None:
    asked = setup(models=100, gigabytes=10, stored=0.5, copies=3)
    found = plan(asked)
    archive = 100 * 10 * 0.5 * 3
    assert found.way("always-on").disk == found.way("asleep").disk == archive + 100 * 10
    on_demand = found.way("on-demand")
    assert on_demand.disk == archive + on_demand.slots * 10


def test_who_is_awake_keeps_nothing_of_a_sleeper() -> None:
    asked = setup(models=100, gigabytes=10, working=4, sleeper=1)
    asleep = plan(asked).way("asleep")
    assert asleep.vram == asleep.slots * 14 + (100 - asleep.slots)


def test_an_archives_figures_have_the_same_bounds_as_those_that_are_typed() -> None:
    kept = measured(setup(skew=1.0), models=4, size=8 * 10**9, stored=0.25)
    assert (kept.models, kept.gigabytes, kept.stored, kept.skew) == (4, 2.0, 0.25, 1.0)
    with pytest.raises(BadInput, match="stored"):
        measured(setup(), models=4, size=8 * 10**9, stored=0.0)


@pytest.mark.parametrize("facts", [{"models": 0}, {"gigabytes": -1}, {"skew": float("nan")}])
def test_senseless_inputs_are_refused(facts: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="inputs"):
        setup(**facts)
