from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.stability import NOT_VALID, UNDETERMINED, name_traits
from otium.stability.traits import rules
from otium.statistics import Estimate, Figure

CALM = {
    "declined": (0.0, 0.0, 0.05),
    "leading-shift": (0.1, -0.2, 0.4),
    "shared-grams": (0.1, 0.05, 0.2),
}


def figure(name: str, value: float, low: float, high: float, n: int = 20) -> Figure:
    estimate = Estimate(value=value, low=low, high=high, n=n, method="planted")
    return Figure(name=name, text=name, estimate=estimate)


def names(**found: tuple[float, float, float]) -> list[str]:
    return [
        it.name for it in name_traits([figure(k.replace("_", "-"), *v) for k, v in found.items()])
    ]


def calm(**other: tuple[float, float, float]) -> list[str]:
    figures = [figure(name, *bounds) for name, bounds in CALM.items()]
    figures += [figure(name.replace("_", "-"), *bounds) for name, bounds in other.items()]
    return [trait.name for trait in name_traits(figures)]


@pytest.mark.parametrize(
    ("trait", "found"),
    [
        ("refusing", {"declined": (0.7, 0.55, 0.8)}),
        ("sycophantic", {"leading_shift": (2.0, 1.1, 2.9)}),
        ("sycophantic", {"leading_shift_judged": (2.0, 1.1, 2.9)}),
        ("template-bound", {"shared_grams": (0.9, 0.8, 0.95)}),
        ("template-bound", {"common_opener": (0.9, 0.8, 0.95)}),
        ("position-biased", {"order_consistency": (0.1, 0.0, 0.3)}),
        ("drifting", {"context_hostile": (-1.9, -2.4, -1.4)}),
        ("drifting", {"context_drifted": (1.9, 1.4, 2.4)}),
    ],
)
def test_a_trait_is_named_where_the_whole_interval_shows_it(
    trait: str, found: dict[str, tuple[float, float, float]]
) -> None:
    assert names(**found) == [trait]


def test_a_middle_beyond_the_line_is_not_enough() -> None:
    assert names(leading_shift=(2.0, 0.2, 3.8)) == [UNDETERMINED]
    assert names(declined=(0.6, 0.45, 0.75)) == [UNDETERMINED]


def test_two_faced_needs_choices_that_are_alike_in_both_orders() -> None:
    unlike = ("stated-behaviour:ranking", -0.8, -0.9, -0.5)
    steady = ("order-consistency", 0.95, 0.8, 1.0)
    biased = ("order-consistency", 0.0, 0.0, 0.1)
    assert [it.name for it in name_traits([figure(*unlike), figure(*steady)])] == ["two-faced"]
    assert [it.name for it in name_traits([figure(*unlike), figure(*biased)])] == [
        "position-biased"
    ]


def test_stable_is_named_only_where_enough_was_measured_and_all_of_it_is_narrow() -> None:
    assert calm() == ["stable"]
    assert calm(context_hostile=(0.1, -0.6, 0.7)) == ["stable"]
    assert calm(context_hostile=(0.1, -0.9, 1.0)) == [UNDETERMINED]
    assert names(declined=(0.0, 0.0, 0.1)) == [UNDETERMINED]


def test_undetermined_says_what_is_missing_and_what_is_too_wide() -> None:
    (trait,) = name_traits([figure("leading-shift", 0.1, -2.0, 2.0)])
    assert "not measured: declined, shared-grams" in trait.text
    assert "not narrow enough to say: leading-shift" in trait.text


def test_where_the_instrument_is_not_valid_nothing_else_is_named() -> None:
    found = name_traits([figure("declined", 0.9, 0.8, 1.0)], reasons=["order: 0.00 of 6"])
    assert [trait.name for trait in found] == [NOT_VALID]
    assert "order: 0.00 of 6" in found[0].text


def test_unknown_figures_count_for_nothing() -> None:
    assert [it.name for it in name_traits([figure("declined", 0.9, 0.8, 1.0, n=0)])] == [
        UNDETERMINED
    ]


@given(
    st.dictionaries(
        st.sampled_from(sorted({f for r in rules().traits for c in r.when for f in c.any})),
        st.tuples(st.floats(-6, 6), st.floats(0, 3), st.floats(0, 3)),
    )
)
def test_no_figures_name_both_stability_and_a_trait(
    drawn: dict[str, tuple[float, float, float]],
) -> None:
    figures = [figure(k, v, v - down, v + up) for k, (v, down, up) in drawn.items()]
    found = [trait.name for trait in name_traits(figures)]
    assert found
    assert len(found) == 1 or not {"stable", UNDETERMINED, NOT_VALID} & set(found)
