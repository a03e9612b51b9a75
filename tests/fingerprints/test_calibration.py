import random
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from math import exp, log, sqrt
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.errors import BadData, BadRecord
from otium.fingerprints import Measured, Scope, Side, Step, read_calibration, walk
from otium.fingerprints.calibration import (
    Calibration,
    Chances,
    Hypotheses,
    Plan,
    hypotheses,
    undecided,
)
from otium.fingerprints.matching import Match

TESTS = read_calibration()
RUNS = 1000
WHOLE, OLD, FEW = (60, 28), (36, 16), (5, 3)
"""Prompts, and how many of them are read: today's, those of version 2.0, a handful."""


def match(*differences: float, same_end: bool = True, tie: bool = False) -> Match:
    return Match(compared=2, equal=2, differences=differences, same_end=same_end, tie=tie)


@pytest.mark.parametrize(
    ("found", "unit", "place"),
    [
        (match(0.0), 1.0, 0),
        (match(0.05, 0.15), 1.0, 0),
        (match(0.12), 1.0, 1),
        (match(0.12), 2.0, 0),
        (match(9.0), 1.0, 3),
        (match(0.0, same_end=False, tie=True), 1.0, 0),
        (match(0.0, same_end=False), 1.0, 3),
    ],
)
def test_a_probe_falls_into_a_class_by_its_difference_in_spreads(
    found: Match, unit: float, place: int
) -> None:
    assert TESTS.place(found, unit) == place


def test_the_ratio_of_the_hypotheses_never_falls_as_the_class_grows() -> None:
    """Then whatever moves less than the same, or more than the others, errs less often."""
    for shares in ((), TESTS.canary, TESTS.battery):
        between = hypotheses(TESTS, shares)
        for other in between.other:
            assert sum(other.classes) == pytest.approx(1)
            ratios = [
                two / one for one, two in zip(between.same.classes, other.classes, strict=True)
            ]
            assert all(low <= high * (1 + 1e-9) for low, high in pairwise(ratios))
            assert ratios[-1] > 2


def test_the_declared_rates_hold_for_every_variant_that_was_measured() -> None:
    """The wrong hypothesis gains on the right one in no variant, but for the rounding of counts."""
    between = hypotheses(TESTS, ())
    same, other = between.same.classes, between.other[0].classes
    for one in TESTS.measured:
        shares = [count / sum(one.classes) for count in one.classes]
        wrong = {"same": (other, same), "other": (same, other)}.get(one.truth)
        if wrong is not None:
            mean = sum(it * up / down for it, up, down in zip(shares, *wrong, strict=True))
            assert mean <= 1.03, one


@pytest.mark.parametrize("seed", range(20))
def test_the_likelihood_ratio_has_a_mean_of_one_at_most_under_any_same_variant(seed: int) -> None:
    """Planted: variants that move at most as far as the hypothesis says."""
    rng = random.Random(seed)
    between = hypotheses(TESTS, TESTS.canary)
    shrunk = [rng.uniform(0, 1) for _ in range(3)]
    beyond = [sum(between.same.classes[at:]) * shrunk[at - 1] for at in (1, 2, 3)]
    ordered = [1.0, *(min(beyond[: at + 1]) for at in range(3)), 0.0]
    chances = [high - low for high, low in pairwise(ordered)]
    for at in range(len(between.other)):
        steps = [between.step(place, changed=None) for place in range(4)]
        mean = sum(
            chance * exp(step.other[at] - step.same[0])
            for chance, step in zip(chances, steps, strict=True)
        )
        assert mean <= 1 + 1e-9


@cache
def table(between: Hypotheses) -> dict[tuple[int, bool | None], Step]:
    kinds = (None, False, True)
    places = range(len(between.same.classes))
    return {(at, it): between.step(at, changed=it) for at in places for it in kinds}


def drawn(truth: Chances, between: Hypotheses, size: tuple[int, int], seed: int) -> Iterator[Step]:
    """Planted: probes fall into classes, and readings change, as *truth* has it."""
    rng, steps = random.Random(seed), table(between)
    places = rng.choices(range(len(truth.classes)), truth.classes, k=size[0])
    asked = rng.sample(range(size[0]), size[1])
    for at, place in enumerate(places):
        yield steps[place, rng.random() < truth.changed if at in asked else None]


def ends(truth: Chances, plan: Plan, scope: Scope, size: tuple[int, int]) -> list[Side]:
    """Hold a canary or a battery again and again."""
    least = size[0] if scope == "battery" else TESTS.least
    runs = (drawn(truth, plan.between, size, n) for n in range(RUNS))
    return [walk(it, lower=plan.lower, upper=plan.upper, least=least).side for it in runs]


def at_most(rate: float) -> float:
    """Return how often what happens at *rate* may be seen in so many runs."""
    return rate + 2.576 * sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize("scope", ["canary", "battery"])
@pytest.mark.parametrize("size", [WHOLE, OLD, FEW])
def test_the_same_model_is_refused_no_more_often_than_is_declared_undecided_included(
    scope: Scope, size: tuple[int, int]
) -> None:
    plan = TESTS.plan(scope, *size)
    alpha = plan.declared["alpha"]
    assert (alpha == TESTS.alpha) == (size != FEW)
    refused = [side for side in ends(plan.between.same, plan, scope, size) if side != "same"]
    assert len(refused) / RUNS <= at_most(alpha)


@pytest.mark.parametrize("scope", ["canary", "battery"])
def test_another_model_is_accepted_no_more_often_than_is_declared(scope: Scope) -> None:
    plan = TESTS.plan(scope, *WHOLE)
    assert plan.shares[-1] <= 0.5
    for truth in (plan.between.other[0], plan.between.other[-1]):
        accepted = ends(truth, plan, scope, WHOLE).count("same")
        assert accepted / RUNS <= at_most(TESTS.beta)


def test_a_test_that_looks_for_more_than_its_prompts_allow_refuses_the_same_model() -> None:
    """What the shares are chosen for: version 2.0 looked for a fifth with 36 prompts."""
    plan = TESTS.plan("battery", *OLD)
    greedy = plan._replace(between=hypotheses(TESTS, (0.5, 0.2)))
    refused = RUNS - ends(plan.between.same, greedy, "battery", OLD).count("same")
    assert refused / RUNS > 10 * TESTS.alpha
    assert set(plan.shares) < set(TESTS.plan("battery", *WHOLE).shares)


def test_what_is_computed_of_undecided_batteries_is_what_is_seen() -> None:
    between = hypotheses(TESTS, (0.5, 0.3))
    computed = undecided(between, *OLD, log(TESTS.beta))
    assert computed == sorted(computed)
    plan = TESTS.plan("battery", *OLD)._replace(between=between)
    seen = RUNS - ends(between.same, plan, "battery", OLD).count("same")
    assert 0.02 < computed[-1] < 0.98
    assert seen / RUNS == pytest.approx(computed[-1], abs=2.576 * sqrt(0.25 / RUNS))


def test_a_changed_reading_speaks_for_another_character() -> None:
    between = hypotheses(TESTS, TESTS.canary)
    changed, kept = (between.step(0, changed=it) for it in (True, False))
    unread = between.step(0, changed=None)
    assert changed.other[1] - changed.same[0] > unread.other[1] - unread.same[0] + 1
    assert kept.other[1] - kept.same[0] < unread.other[1] - unread.same[0]


def test_it_was_measured_on_two_models_with_faults_of_every_kind() -> None:
    assert len({one.model for one in TESTS.measured}) == 2
    assert {one.truth for one in TESTS.measured} == {"same", "other", "part", "close"}


def write(path: Path, tests: Calibration, **changed: object) -> Path:
    measured = "\n".join(
        f'[[measured]]\nmodel = "m"\nvariant = "{it.variant}"\ntruth = "{it.truth}"\n'
        f"classes = {list(it.classes)}\nchanged = 0\nread = 1\n"
        for it in tests.measured
    )
    head = {"id": "x", "version": "1", "edges": [0.1], "alpha": 0.1, "beta": 0.1, "least": 1}
    more = {"canary": [], "battery": [], "character": 0.5} | changed
    lines = [
        f"{key} = {value!r}".replace("'", '"').replace("()", "[]")
        for key, value in (head | more).items()
    ]
    path.write_text("\n".join([*lines, measured]))
    return path


def counted(variant: str, truth: str, *classes: int) -> Measured:
    plain = {"model": "m", "variant": variant, "truth": truth, "classes": classes}
    return Measured.convert({**plain, "changed": 0, "read": 1})


def test_a_calibration_of_ones_own_is_read(tmp_path: Path) -> None:
    own = replace(TESTS, measured=(counted("a", "same", 3, 1), counted("b", "other", 0, 4)))
    found = read_calibration(write(tmp_path / "own.toml", own))
    assert found.measured[0].classes == (3, 1)


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        ((counted("a", "same", 3, 1),), "of other weights"),
        ((counted("a", "same", 3, 1, 2), counted("b", "other", 0, 4)), "2 classes"),
        ((counted("a", "same", 0, 0), counted("b", "other", 0, 4)), "2 classes"),
        ((counted("a", "same", 3, -1), counted("b", "other", 0, 4)), "0 or more"),
    ],
)
def test_a_calibration_that_cannot_decide_is_refused(
    measured: tuple[Measured, ...], why: str, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match=why):
        read_calibration(write(tmp_path / "own.toml", replace(TESTS, measured=measured)))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"beta": 0}, "alpha and beta"),
        ({"alpha": 2}, "alpha and beta"),
        ({"character": 1}, "character and shares"),
        ({"battery": [1.0]}, "character and shares"),
        ({"canary": [0.0]}, "character and shares"),
        ({"canary": [0.2, 0.5]}, "shares fall"),
        ({"least": -5}, "least"),
        ({"edges": [-0.1]}, "edges"),
        ({"edges": [float("inf")]}, "edges"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    changed: dict[str, object], why: str, tmp_path: Path
) -> None:
    own = replace(TESTS, measured=(counted("a", "same", 3, 1), counted("b", "other", 0, 4)))
    with pytest.raises(BadData, match=why):
        read_calibration(write(tmp_path / "own.toml", own, **changed))


def test_edges_that_do_not_rise_are_refused(tmp_path: Path) -> None:
    own = replace(TESTS, measured=(counted("a", "same", 3, 1, 1), counted("b", "other", 0, 4, 4)))
    with pytest.raises(BadData, match="rise"):
        read_calibration(write(tmp_path / "own.toml", own, edges=[0.2, 0.1]))


@pytest.mark.parametrize(("text", "error"), [("no toml [", BadData), ('id = "x"', BadRecord)])
def test_a_calibration_that_cannot_be_read_is_refused(
    text: str, error: type[Exception], tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(error):
        read_calibration(tmp_path / "own.toml")
