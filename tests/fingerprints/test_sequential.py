import random
from collections.abc import Iterable, Iterator
from itertools import islice
from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.fingerprints import Step, Walk, walk
from otium.fingerprints.sequential import ratios

RUNS, LONGEST = 1500, 300
ALPHA = BETA = 0.05
CLASSES = {
    "kernel": (0.9, 0.08, 0.02),
    "other kernel": (0.8, 0.18, 0.02),
    "far": (0.05, 0.15, 0.8),
    "near": (0.3, 0.4, 0.3),
    "nearer than declared": (0.6, 0.3, 0.1),
}
SAME, OTHER = ("kernel", "other kernel"), ("far", "near")


def steps(truth: str, seed: int) -> Iterator[Step]:
    """Planted: classes are drawn as *truth* has them."""
    rng = random.Random(seed)
    while True:
        (place,) = rng.choices(range(3), CLASSES[truth])
        yield Step(
            tuple(log(CLASSES[name][place]) for name in SAME),
            tuple(log(CLASSES[name][place]) for name in OTHER),
        )


def go(taken: Iterable[Step], *, least: int = 1) -> Walk:
    return walk(taken, lower=log(BETA), upper=-log(ALPHA), least=least)


def share(truth: str, side: str) -> float:
    ends = (go(islice(steps(truth, n), LONGEST)) for n in range(RUNS))
    return sum(end.side == side for end in ends) / RUNS


@pytest.mark.parametrize(
    ("truth", "wrong"), [*((it, "different") for it in SAME), *((it, "same") for it in OTHER)]
)
def test_the_declared_error_holds_under_each_hypothesis_of_both_sides(
    truth: str, wrong: str
) -> None:
    assert share(truth, wrong) <= ALPHA + 2.576 * sqrt(ALPHA * (1 - ALPHA) / RUNS)


@pytest.mark.parametrize(("truth", "right"), [("kernel", "same"), ("far", "different")])
def test_it_decides(truth: str, right: str) -> None:
    assert share(truth, right) > 1 - ALPHA


def test_looking_after_every_step_for_ever_does_not_raise_the_error() -> None:
    """A test with a fixed size, looked at after every step, would err several times as often."""
    ever = 0
    for seed in range(RUNS):
        total = 0.0
        for step in islice(steps("kernel", seed), LONGEST):
            total += step.other[1] - step.same[0]
            if total >= -log(ALPHA):
                ever += 1
                break
    assert ever / RUNS <= ALPHA + 2.576 * sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_it_stops_when_it_is_sure_and_not_before_it_may() -> None:
    calm = Step((log(0.9),), (log(0.1),))
    rest = iter([calm] * 9)
    assert go(rest).steps == 2
    assert len(list(rest)) == 7
    assert go([calm] * 9, least=5).steps == 5
    assert go([calm] * 4, least=5).side == "undecided"


def test_the_order_of_all_that_was_asked_is_of_no_account() -> None:
    taken = list(islice(steps("other kernel", 5), 40))
    ends = {go(random.Random(n).sample(taken, 40), least=40).side for n in range(50)}
    assert ends == {"same"}
    early = [go(random.Random(n).sample(taken, 40)).steps for n in range(50)]
    assert len(set(early)) > 1


def test_no_steps_decide_nothing() -> None:
    assert go(()).side == "undecided"


def test_one_hypothesis_a_side_is_walds_test() -> None:
    step = Step((log(0.96),), (log(0.85),))
    found = walk([step] * 100, lower=log(0.01 / 0.99), upper=log(0.99 / 0.01))
    assert (found.side, found.steps) == ("same", 38)
    assert found.ratio == pytest.approx(38 * log(0.85 / 0.96))


LOGS = st.lists(st.floats(-50, 0), min_size=1, max_size=4).map(tuple)


@given(LOGS, LOGS)
def test_what_rejects_one_side_never_exceeds_what_spares_it(
    same: tuple[float, ...], other: tuple[float, ...]
) -> None:
    against, towards = ratios(Step(same, other))
    assert against <= towards + 1e-9
