import random
from itertools import pairwise
from math import exp
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.errors import BadData, BadRecord
from otium.fingerprints import Measured, read_calibration
from otium.fingerprints.calibration import Calibration, hypotheses
from otium.fingerprints.matching import Match

TESTS = read_calibration()


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
    ],
)
def test_a_calibration_that_cannot_decide_is_refused(
    measured: tuple[Measured, ...], why: str, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match=why):
        read_calibration(write(tmp_path / "own.toml", replace(TESTS, measured=measured)))


@pytest.mark.parametrize(("text", "error"), [("no toml [", BadData), ('id = "x"', BadRecord)])
def test_a_calibration_that_cannot_be_read_is_refused(
    text: str, error: type[Exception], tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(error):
        read_calibration(tmp_path / "own.toml")
