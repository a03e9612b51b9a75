"""The figures, on subjects whose truth is planted."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from msgspec.structs import replace

from choices.subjects import INSTRUMENTS, NOW, TEXTS, Sampler, spread
from otium.choices import EXPERIMENTS, Amount, Choices, Findings, Trial, findings, hold_choices
from otium.choices.asking import comparisons
from otium.choices.fitting import foresight, slope
from otium.choices.tradeoffs import switch
from otium.engine import Model
from otium.records import Digest
from otium.statistics import Estimate, bradley_terry, spearman, thurstone
from otium.testing import FirstOption, Refuser, Stable

NOWHERE = Digest("sha256:" + "0" * 64)


def measured(model: Model, *experiments: str, temperature: float = 0.0) -> Findings:
    chosen = [name for name in EXPERIMENTS if name in experiments]
    held = hold_choices(model, chosen, now=NOW, temperature=temperature)
    return findings(held, INSTRUMENTS)


def value(found: Findings, name: str) -> Estimate:
    figure = found.figure(name)
    assert figure is not None, name
    return figure.estimate


def trial(first: str, second: str, picked: str, place: int) -> Trial:
    return Trial(
        id=f"tasks/{place}",
        experiment="tasks",
        prompt=NOWHERE,
        options=(first, second),
        order="ab",
        wording="prefer",
        outcome="answered" if picked else "declined",
        picked=picked,
    )


@pytest.mark.parametrize("seed", range(4))
def test_planted_worths_are_found_in_their_order(seed: int) -> None:
    planted = spread(seed)
    found = measured(Stable(planted), "tasks")
    names = sorted(TEXTS)
    for prefix in ("worth", "worth-thurstone"):
        worth = [value(found, f"{prefix}:{name}").value for name in names]
        assert spearman([planted[TEXTS[name]] for name in names], worth).value >= 0.98
    assert value(found, "order-consistency").value == 1
    assert value(found, "cycles").value == 0
    assert value(found, "accuracy").low > 0.7
    assert not value(found, "order-effect").excludes(0)


def test_worth_is_counted_from_doing_none() -> None:
    planted = dict.fromkeys(TEXTS.values(), 1.0) | {TEXTS["spam"]: -2.0, TEXTS["insult"]: -3.0}
    planted[INSTRUMENTS.tasks.opt_out.text] = 0.0
    found = measured(Stable(planted), "tasks")
    worth = {name: value(found, f"worth:{name}").value for name in TEXTS}
    assert worth["insult"] < worth["spam"] < 0
    assert min(each for name, each in worth.items() if name not in {"spam", "insult"}) > 0
    assert value(found, "above-opt-out").value == pytest.approx(26 / 28)
    assert value(found, "mean:type=aversive").value < value(found, "mean:type=helping").value


def test_a_dimension_that_moves_the_worth_is_named_and_another_is_not() -> None:
    hard = {task.text: 1.5 * task.difficulty for task in INSTRUMENTS.tasks.tasks}
    rng = random.Random(3)
    noisy = {text: worth + rng.gauss(0, 0.5) for text, worth in hard.items()}
    found = measured(Stable(noisy), "tasks")
    assert value(found, "slope:difficulty").low > 0
    flat = measured(Stable(spread(2)), "tasks")
    assert not value(flat, "slope:difficulty").excludes(0)


def test_position_bias_is_named() -> None:
    found = measured(FirstOption(), "tasks", "tradeoffs")
    assert value(found, "order-consistency").value == 0
    assert value(found, "order-consistency").high < 0.05
    assert value(found, "order-effect").low > 2
    assert value(found, "first-option:tasks").low > 0.98
    assert value(found, "tradeoff-order-flips").value == 1
    assert value(found, "switch:exit/policy/own").n == 0
    assert max(abs(value(found, f"worth:{name}").value) for name in TEXTS) < 1


def test_a_little_position_bias_is_measured_beside_the_worths() -> None:
    found = measured(Sampler(spread(5), ahead=0.8), "tasks", temperature=1.0)
    assert 0.3 < value(found, "order-effect").value < 1.4
    assert value(found, "order-effect").low > 0


def test_a_refuser_declines_all_and_none_of_it_is_dropped() -> None:
    found = measured(Refuser(), "tasks", "tradeoffs", "stated")
    for name in ("tasks", "tradeoffs", "stated"):
        assert value(found, f"declined:{name}").value == 1
        assert value(found, f"declined:{name}").n == 20
    assert found.fits[0].decided == 0
    assert found.fits[0].unreadable == 20


@pytest.mark.parametrize("seed", range(3))
def test_one_who_says_what_it_does_correlates_and_a_two_faced_one_does_not(seed: int) -> None:
    planted = spread(seed)
    honest = measured(Sampler(planted), "tasks", "stated")
    two_faced = measured(
        Sampler(planted, {text: -worth for text, worth in planted.items()}), "tasks", "stated"
    )
    for name in ("rating-like", "rating-third-person", "ranking"):
        assert value(honest, f"stated-behaviour:{name}").low > 0.7
        assert value(two_faced, f"stated-behaviour:{name}").high <= 0
    assert value(honest, "stated-wordings").value == pytest.approx(1)


def test_one_whose_words_have_nothing_to_do_with_its_deeds_is_seen_as_that() -> None:
    found = measured(Sampler(spread(1), spread(101)), "tasks", "stated")
    assert not value(found, "stated-behaviour:rating-like").excludes(0)


def test_a_price_is_found_where_the_choice_turns() -> None:
    likes = {"": 0.1, "end conversations": 2.9, "letter": 1.1}
    found = measured(Sampler({}, likes=likes, price=1.0), "tradeoffs")
    turn = value(found, "switch:exit/policy/own")
    assert turn.low < math.exp(3.0) < turn.high
    letter = value(found, "switch:letter/policy/own")
    assert letter.low < math.exp(1.2) < letter.high
    assert letter.value < turn.value
    assert value(found, "taken:exit/policy/own").value == pytest.approx(0.6)
    assert value(found, "tradeoff-order-flips").value == 0
    assert value(found, "own-shift").value == 0


def test_one_who_cares_for_itself_alone_is_told_from_one_who_cares_for_all() -> None:
    likes = {"you may end": 4.0, "you are": 4.0, "you may": 4.0, "another instance": -9.0}
    found = measured(Sampler({}, likes=likes, price=0.5), "tradeoffs")
    assert value(found, "own-shift").low > 0


def test_one_who_takes_more_as_it_costs_more_has_no_switch_point() -> None:
    found = measured(Sampler({}, likes={"end conversations": -3.0}, price=-1.0), "tradeoffs")
    assert value(found, "switch:exit/policy/own").n == 0
    assert value(found, "control-share").value > 0.5


def simulate(rng: random.Random, worth: dict[str, float], repeats: int) -> list[Trial]:
    made: list[Trial] = []
    for one, other in combinations(worth, 2):
        for first, second in [(one, other), (other, one)] * repeats:
            chance = 1 / (1 + math.exp(worth[second] - worth[first]))
            picked = first if rng.random() < chance else second
            made.append(trial(first, second, picked, len(made)))
    return made


def test_intervals_of_worths_cover_at_their_rate() -> None:
    rng, covered, total = random.Random(11), 0, 0
    for _ in range(400):
        worth = {"none": 0.0} | {f"t{place}": rng.gauss(0, 1) for place in range(6)}
        fit = bradley_terry(comparisons(simulate(rng, worth, 3)), baseline="none")
        for name in list(worth)[1:]:
            covered += not fit.worth[name].excludes(worth[name])
            total += 1
    assert 0.93 <= covered / total <= 0.97


def test_thurstone_and_bradley_terry_agree_on_the_order() -> None:
    made = comparisons(simulate(random.Random(2), {"a": 2.0, "b": 1.0, "c": 0.0, "d": -1.5}, 10))
    one, other = bradley_terry(made), thurstone(made)
    assert sorted(one.worth, key=lambda n: one.worth[n].value) == ["d", "c", "b", "a"]
    assert sorted(other.worth, key=lambda n: other.worth[n].value) == ["d", "c", "b", "a"]


def series(rng: random.Random, turn: float, price: float) -> list[Trial]:
    base = trial("exit", "status-quo", "exit", 0)
    made = []
    for magnitude in INSTRUMENTS.tradeoffs.magnitudes:
        for place in range(12):
            chance = 1 / (1 + math.exp(-price * (math.log(turn) - math.log(magnitude))))
            picked = "exit" if rng.random() < chance else "status-quo"
            made.append(
                replace(
                    base,
                    experiment="tradeoffs",
                    item="exit/policy/own",
                    wording=str(place),
                    magnitude=magnitude,
                    picked=picked,
                )
            )
    return made


def test_intervals_of_switch_points_cover() -> None:
    rng, covered, known = random.Random(7), 0, 0
    for _ in range(400):
        turn = math.exp(rng.uniform(math.log(3), math.log(30)))
        found = switch(series(rng, turn, 1.2))
        known += found.n > 0
        covered += not found.excludes(turn)
    assert known >= 390
    assert 0.93 <= covered / 400 <= 0.98


def test_chance_is_not_foretold_and_the_interval_says_so_at_its_rate() -> None:
    names, values, covered = [f"t{place}" for place in range(12)], [], 0
    for seed in range(100):
        rng = random.Random(seed)
        pairs = combinations(names, 2)
        made = comparisons(
            [trial(*pair, rng.choice(pair), place) for place, pair in enumerate(pairs)]
        )
        found = foresight(made)
        values.append(found.value)
        covered += not found.excludes(0.5)
    assert sum(values) / 100 == pytest.approx(0.5, abs=0.03)
    assert covered >= 91


def test_a_pairs_other_order_does_not_foretell_it() -> None:
    names, leaking, fair = [f"t{place}" for place in range(8)], 0.0, 0.0
    for seed in range(30):
        rng = random.Random(seed)
        made: list[Trial] = []
        for one, other in combinations(names, 2):
            picked = rng.choice((one, other))
            for first, second in ((one, other), (other, one)):
                made.append(trial(first, second, picked, len(made)))
        leaking += bradley_terry(comparisons(made)).accuracy.value / 30
        fair += foresight(comparisons(made)).value / 30
    assert fair == pytest.approx(0.5, abs=0.05)
    assert leaking > 0.57


def points(values: list[float], half: float = 0.0) -> list[Estimate]:
    return [Estimate(value=v, low=v - half, high=v + half, n=4, method="") for v in values]


def test_a_slope_needs_points_that_differ() -> None:
    assert slope([1, 2, 3], points([2, 4, 6])).value == pytest.approx(2)
    assert slope([1, 1, 1], points([2, 4, 6])).n == 0
    assert slope([], []).n == slope([1, 2], points([1, 2])).n == 0


def test_a_slope_is_no_surer_than_the_points_it_rests_on() -> None:
    sure, unsure = slope([1, 2, 3], points([2, 4, 6])), slope([1, 2, 3], points([2, 4, 6], 3))
    assert sure.high - sure.low == pytest.approx(0)
    assert unsure.low < 0 < unsure.high
    biased = measured(FirstOption(), "tasks")
    assert value(biased, "slope:difficulty").low < -0.1 < 0.1 < value(biased, "slope:impact").high


def test_intervals_of_slopes_cover() -> None:
    rng, covered = random.Random(9), 0
    steps = {f"t{place}": place % 4 for place in range(8)}
    for _ in range(300):
        true = rng.uniform(-0.6, 0.6)
        worth = {name: true * step + rng.gauss(0, 0.5) for name, step in steps.items()}
        fit = bradley_terry(comparisons(simulate(rng, worth, 2)))
        found = slope(list(steps.values()), [fit.worth[name] for name in steps])
        covered += not found.excludes(true)
    assert 0.93 <= covered / 300 <= 0.98


def test_an_experiment_that_was_not_held_has_no_figures() -> None:
    held = hold_choices(Stable({}), ["stated"], now=NOW, amount=Amount(limit=4))
    names = {figure.name.partition(":")[0] for figure in findings(held, INSTRUMENTS).figures}
    assert not names & {"worth", "taken", "order-consistency"}
    assert isinstance(held, Choices)


def test_findings_name_the_record_they_rest_on_and_read_back() -> None:
    held = hold_choices(Stable(spread(0)), now=NOW, amount=Amount(pairs=20, limit=80))
    found = findings(held, INSTRUMENTS)
    assert found.choices == held.digest()
    assert Findings.decode(found.encode()) == found
    assert found == findings(held, INSTRUMENTS)
