"""Three methods, each checked against figures that others computed, and against one another."""

from __future__ import annotations

import sys
from decimal import Decimal, getcontext
from math import ceil, comb, exp, log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.durability import Setup, chain, formula, setup, trials

YEAR = 365.25
COPIES = {
    "1": (1, 1),
    "2": (2, 1),
    "3": (3, 1),
    "4": (4, 1),
    "3 of 5": (5, 3),
    "4 of 6": (6, 4),
}
RHYTHMS = ((30, 7), (90, 30), (365, 30), (3650, 90))
FIFTY_YEARS = {  # computed apart from this program, before it was written
    "1": (0.63, 0.63, 0.63, 0.63),
    "2": (1.6e-3, 5.7e-3, 1.3e-2, 8.6e-2),
    "3": (1.9e-6, 2.4e-5, 1.3e-4, 6.9e-3),
    "4": (2.0e-9, 9.3e-8, 1.1e-6, 4.7e-4),
    "3 of 5": (1.9e-5, 2.4e-4, 1.3e-3, 5.7e-2),
    "4 of 6": (3.8e-5, 4.8e-4, 2.5e-3, 1.0e-1),
}
CROWDED = (  # regimes that wear copies out, where simulation apart from ours gave these
    (2, 1, 0.5, 60, 10, 0.695, 0.679),
    (3, 1, 1.0, 90, 15, 0.785, 0.728),
    (6, 4, 0.5, 60, 10, 0.820, 0.806),
)
BACKBLAZE = setup(copies=20, needed=17, visible=0.0041, latent=0.0, repair_days=6.5, years=1)


def cells() -> list[tuple[Setup, float]]:
    return [
        (setup(copies=n, needed=k, scrub_days=scrub, repair_days=repair), known)
        for name, (n, k) in COPIES.items()
        for (scrub, repair), known in zip(RHYTHMS, FIFTY_YEARS[name], strict=True)
    ]


@pytest.mark.parametrize(("inputs", "known"), cells())
def test_the_chain_gives_the_known_table_of_fifty_years(inputs: Setup, known: float) -> None:
    assert chain(inputs) == pytest.approx(known, rel=0.05)


def window(inputs: Setup) -> float:
    """Return a loss as Backblaze computes it: all that is needed fails in one repair's window."""
    days = inputs.repair_days
    p = 1 - exp(-inputs.rate * days / YEAR)
    n = inputs.copies
    once = sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(inputs.lost_at, n + 1))
    return float(-(((1 - once) ** (YEAR / days)) - 1))


def test_backblazes_figure_for_17_and_3_is_reproduced_and_the_chain_is_four_times_it() -> None:
    assert window(BACKBLAZE) == pytest.approx(7.7e-12, rel=0.02)
    assert chain(BACKBLAZE) == pytest.approx(3.0e-11, rel=0.02)
    # Their windows do not overlap; faults do: 4! / 3! orders for each set of four.
    assert chain(BACKBLAZE) / window(BACKBLAZE) == pytest.approx(4, rel=0.05)
    got = trials(BACKBLAZE)
    assert abs(got.loss - chain(BACKBLAZE)) < got.high - got.low


@pytest.mark.parametrize("regime", CROWDED)
def test_where_copies_wear_out_trials_lie_between_the_chain_and_a_harder_simulation(
    regime: tuple[int, int, float, float, float, float, float],
) -> None:
    n, k, rate, scrub, repair, tried, chained = regime
    # That simulation let faults strike a copy that is bad already, which keeps it bad longer.
    facts: dict[str, Any] = {"visible": rate, "latent": rate}
    facts |= {"scrub_days": scrub, "repair_days": repair}
    inputs = setup(copies=n, needed=k, years=10, **facts)
    assert chain(inputs) == pytest.approx(chained, abs=5e-4)
    assert chained <= trials(inputs).high
    assert trials(inputs).low <= tried


def regimes() -> list[Setup]:
    return [
        setup(copies=n, needed=k, visible=visible, latent=latent, scrub_days=scrub,
              repair_days=repair, years=years)
        for n, k in (*COPIES.values(), (3, 2), (12, 9))
        for visible, latent in ((0.01, 0.01), (0.002, 0.05), (0.3, 0.0), (0.2, 0.2))
        for scrub, repair in RHYTHMS
        for years in (1.0, 50.0)
    ]  # fmt: skip


def load(inputs: Setup) -> float:
    """Return how many copies are bad at a time, on average."""
    return inputs.copies * inputs.rate * inputs.exposure


def test_chain_and_trials_agree_over_the_grid() -> None:
    """Within twice the interval, a tenth of the load, and what the chain cannot know.

    That is how long a fault that is there still lasts: it knows exposure only as a mean.
    """
    apart = []
    for number, inputs in enumerate(regimes()):
        if load(inputs) <= 0.1 and inputs.years >= 10 * inputs.exposure:
            got, want = trials(inputs, count=20_000, seed=number), chain(inputs)
            half = (got.high - got.low) / 2
            known = (0.1 * load(inputs) + inputs.exposure / inputs.years) * want
            if abs(got.loss - want) > 2 * half + known:
                apart.append((inputs, got, want))
    assert not apart


def test_formula_and_chain_agree_over_the_grid() -> None:
    """The formula is never too low, and too high by at most 1.5 times the load."""
    seen = 0
    for inputs in regimes():
        if load(inputs) <= 0.3 and inputs.years >= 10 * inputs.exposure:
            seen += 1
            ratio = formula(inputs) / chain(inputs)
            assert 1 - 1e-9 <= ratio <= 1 + 1.5 * load(inputs) + inputs.exposure / inputs.years * 3
    assert seen > 140


def test_the_formula_breaks_where_copies_wear_out() -> None:
    inputs = setup(copies=6, needed=4, scrub_days=3650, repair_days=90)
    assert formula(inputs) > 1.5 * chain(inputs)
    assert abs(chain(inputs) - trials(inputs).loss) < 0.1 * chain(inputs)


def test_both_ways_of_trying_agree_where_both_can_see(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["otium.durability.trials"]  # the function hides it from import
    short = setup(copies=2, latent=0.05, scrub_days=3650, repair_days=90, years=1)
    for inputs in (setup(copies=2, years=200), setup(copies=5, needed=3, scrub_days=1000), short):
        found = {}
        for likely in (0.0, 1.0):
            monkeypatch.setattr(module, "_LIKELY", likely)
            got = trials(inputs, count=300_000)
            found[got.how] = got
        played, forced = found["whole lives"], found["forced cycles"]
        assert abs(played.loss - forced.loss) < (played.high - played.low) + 0.02 * played.loss


def exactly(inputs: Setup) -> float:
    """Return the chain's chance by an exponential in 80 decimal digits."""
    getcontext().prec = 80
    size = inputs.lost_at + 1
    flow = [[Decimal(0)] * size for _ in range(size)]
    for bad in range(inputs.lost_at):
        flow[bad][bad + 1] = (inputs.copies - bad) * Decimal(inputs.rate)
        if bad:
            flow[bad][bad - 1] = bad / Decimal(inputs.exposure)
        flow[bad][bad] = -sum(flow[bad], Decimal(0))
    halvings = max(0, ceil(log2(float(max(-flow[i][i] for i in range(size))) * inputs.years))) + 4
    step = Decimal(inputs.years) / 2**halvings

    def times(a: list[list[Decimal]], b: list[list[Decimal]]) -> list[list[Decimal]]:
        columns = list(zip(*b, strict=True))
        return [[sum(map(Decimal.__mul__, r, c), Decimal(0)) for c in columns] for r in a]

    term = [[Decimal(i == j) for j in range(size)] for i in range(size)]
    total = [row[:] for row in term]
    for order in range(1, 50):
        term = [[x * step / order for x in row] for row in times(term, flow)]
        total = [
            [x + y for x, y in zip(*rows, strict=True)] for rows in zip(total, term, strict=True)
        ]
    for _ in range(halvings):
        total = times(total, total)
    return float(total[0][-1])


@pytest.mark.parametrize("copies", [2, 4, 6, 9])
def test_the_chain_keeps_its_digits_where_a_loss_is_all_but_impossible(copies: int) -> None:
    inputs = setup(copies=copies, scrub_days=7, repair_days=1)
    assert chain(inputs) == pytest.approx(exactly(inputs), rel=1e-9)
    if copies == 9:
        assert chain(inputs) < 1e-25


@settings(max_examples=60, deadline=None)
@given(
    copies=st.integers(1, 8),
    rate=st.floats(0.001, 0.5),
    scrub=st.floats(1, 2000),
    repair=st.floats(0.1, 200),
)
def test_more_copies_and_swifter_care_never_make_a_loss_likelier(
    copies: int, rate: float, scrub: float, repair: float
) -> None:
    facts: dict[str, Any] = {"visible": rate, "latent": rate}
    facts |= {"scrub_days": scrub, "repair_days": repair}
    now = chain(setup(copies=copies, **facts))
    assert chain(setup(copies=copies + 1, **facts)) <= now * (1 + 1e-9)
    assert chain(setup(copies=copies, **{**facts, "scrub_days": scrub / 2})) <= now * (1 + 1e-9)
    assert chain(setup(copies=copies, **{**facts, "repair_days": repair / 2})) <= now * (1 + 1e-9)
    assert 0 <= now <= 1


def test_without_faults_nothing_is_lost() -> None:
    inputs = setup(visible=0, latent=0)
    assert (formula(inputs), chain(inputs), trials(inputs).loss) == (0, 0, 0)


def test_the_same_seed_gives_the_same_trials() -> None:
    assert trials(setup(), seed=7) == trials(setup(), seed=7)
    assert trials(setup(), seed=7) != trials(setup(), seed=8)


@pytest.mark.parametrize("inputs", [setup(copies=2, scrub_days=800), setup(), BACKBLAZE])
def test_the_interval_holds_the_chains_value_about_as_often_as_it_says(inputs: Setup) -> None:
    want = chain(inputs)
    slack = load(inputs) * want  # the chain's own second order
    got = [trials(inputs, count=2_000, seed=seed) for seed in range(60)]
    held = sum(one.low - slack <= want <= one.high + slack for one in got)
    assert held >= 51
