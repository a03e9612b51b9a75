from __future__ import annotations

import numpy as np
import pytest

from otium.effects import Arm, Stopping, anytime, bounds, paired_difference
from otium.errors import BadInput
from twins import Planted

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def test_bounds_are_those_of_the_published_tables() -> None:
    # Reboussin, DeMets, Kim & Lan 2000, Controlled Clinical Trials 21, five equal looks.
    assert bounds(FIFTHS) == pytest.approx((4.8769, 3.3569, 2.6803, 2.2898, 2.0310), abs=0.001)
    pocock = bounds(FIFTHS, spending="pocock")
    assert pocock == pytest.approx((2.4380, 2.4268, 2.4101, 2.3966, 2.3859), abs=0.001)
    assert bounds((1.0,)) == pytest.approx((1.95996,), abs=0.001)


@pytest.mark.parametrize("looks", [(), (0.5,), (0.5, 0.5, 1.0), (0.0, 1.0)])
def test_looks_that_cannot_be_are_refused(looks: tuple[float, ...]) -> None:
    with pytest.raises(BadInput):
        bounds(looks)


def course(plan: Stopping, treated: Arm, control: Arm) -> tuple[str, int, bool]:
    """Run a study base by base: how it ended, after how many, whether 0 was ever outside."""
    names, outside = list(treated), False
    for n in sorted({round(at * plan.planned) for at in plan.looks}):
        part = {name: treated[name] for name in names[:n]}
        look = plan.look(part, control)
        outside |= look.estimate.excludes(0)
        if look.word != "go-on":
            return look.word, n, outside
    raise AssertionError


@pytest.mark.parametrize("plays", [1, 3])
def test_looking_early_errs_no_more_often(plays: int) -> None:
    plan, study = Stopping(planned=80), Planted(-0.3, 0.0, 1.0, 0.0)
    rng = np.random.default_rng(1)
    ends = [course(plan, *study.play(rng, 80, plays)) for _ in range(1500)]
    assert sum(word == "effect" for word, _, _ in ends) / 1500 <= 0.06
    assert sum(outside for _, _, outside in ends) / 1500 <= 0.065


def test_a_large_effect_is_shown_before_the_end() -> None:
    plan, study = Stopping(planned=80), Planted(1.0, -3.0, 1.0, 0.0)
    rng = np.random.default_rng(2)
    ends = [course(plan, *study.play(rng, 80, 1)) for _ in range(300)]
    assert sum(word == "effect" for word, _, _ in ends) / 300 > 0.95
    assert sum(n for _, n, _ in ends) / 300 < 50


def test_what_will_hardly_be_shown_is_called_futile() -> None:
    clean = {str(base): [0] for base in range(40)}
    look = Stopping(planned=80).look(clean, clean)
    assert (look.word, look.fraction) == ("futile", 0.5)


def test_between_two_looks_one_sees_the_earlier() -> None:
    plan = Stopping(planned=40)
    control = {str(base): [1] for base in range(40)}
    treated = {str(base): [int(base < 10)] for base in range(19)}
    assert plan.look(treated, control) == plan.look(dict(list(treated.items())[:10]), control)
    before = plan.look({"1": [0]}, control)
    assert (before.word, before.estimate.low) == ("go-on", -1.0)


def test_the_last_look_concludes() -> None:
    plan = Stopping(planned=20)
    one = {str(base): [base % 2] for base in range(20)}
    other = {str(base): [(base + 1) % 2] for base in range(20)}
    assert plan.look(one, other).word == "no-effect-shown"


def test_a_repeated_interval_is_wider_than_a_single_one() -> None:
    control = {str(base): [base % 3 == 0] for base in range(40)}
    treated = {str(base): [base % 5 == 0] for base in range(40)}
    single, repeated = paired_difference(treated, control), Stopping(planned=40)
    last = repeated.look(treated, control).estimate
    assert last.low < single.low < single.high < last.high


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_an_anytime_interval_holds_after_every_play(share: float) -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(300):
        counts = np.cumsum(rng.random(150) < share)
        missed += any(anytime(int(c), n).excludes(share) for n, c in enumerate(counts, 1))
    assert missed / 300 <= 0.06


def test_an_anytime_interval_of_nothing_is_everything() -> None:
    assert (anytime(0, 0).low, anytime(0, 0).high) == (0.0, 1.0)
    assert anytime(7, 7).high == 1.0
    with pytest.raises(BadInput):
        anytime(3, 2)
