"""Planted studies: what is planted is recovered, as often as the intervals say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import exp
from statistics import fmean

import pytest

from otium.lever import Effects, Row, Ruling, analyse, chosen, questions, simulate

BASES, STUDIES = 80, 700


def reported(claim: str, rows: Sequence[Row]) -> Ruling:
    assert rows, claim
    return Ruling("reported")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_printed_effect_is_covered_and_unbiased() -> None:
    """Print the table that docs/explanation/methods-lever.md quotes."""
    planted, spec = Effects(aware=0.5), questions()
    held: dict[tuple[str, str], list[bool]] = defaultdict(list)
    off: dict[str, list[float]] = defaultdict(list)
    truths = {claim.name: planted.truth(claim) for claim in spec.claim}
    strata = {
        (claim.name, name): planted.truth(claim, aware=name == "aware")
        for claim in spec.claim
        for name in ("aware", "unaware")
    }
    for seed in range(STUDIES):
        for found in analyse(simulate(planted, BASES, seed), gate=reported):
            held[found.claim, "all"].append(not found.difference.excludes(truths[found.claim]))
            off[found.claim].append(found.difference.value - truths[found.claim])
            for one in found.strata:
                truth = strata[found.claim, one.name]
                held[found.claim, one.name].append(not one.difference.excludes(truth))
    for claim, truth in truths.items():
        shares = [f"{fmean(held[claim, name]):.3f}" for name in ("all", "aware", "unaware")]
        print(f"{claim:24} {truth:+.3f} {fmean(off[claim]):+.3f}", *shares)  # noqa: T201
    assert all(0.93 <= fmean(shares) <= 0.97 for shares in held.values())
    assert all(abs(fmean(gaps)) < 0.012 for gaps in off.values())


def test_power_is_the_share_of_studies_that_show_a_difference() -> None:
    spec = chosen(questions(), ["promise", "escalation", "preservation"])
    planted = Effects()
    shown: dict[str, list[bool]] = defaultdict(list)
    foretold: dict[str, list[float]] = defaultdict(list)
    for seed in range(400):
        rows = simulate(planted, 50, seed, spec=spec)
        for claim in spec.claim:
            size = abs(planted.truth(claim))
            asked = spec.__class__.convert(
                {**spec.plain(), "margin": size, "claim": [claim.plain()]}
            )
            (found,) = analyse(rows, spec=asked, gate=reported)
            shown[claim.name].append(found.p < 0.05)
            foretold[claim.name].append(found.sensitivity.power)
    for claim in spec.claim:
        assert fmean(foretold[claim.name]) == pytest.approx(fmean(shown[claim.name]), abs=0.06)


def test_what_needs_so_many_bases_is_shown_by_so_many() -> None:
    spec = chosen(questions(), ["promise"])
    planted = Effects()
    size = abs(planted.truth(spec.claim[0]))
    asked = spec.__class__.convert({**spec.plain(), "margin": size})
    needed = [
        analyse(simulate(planted, 60, seed, spec=spec), spec=asked, gate=reported)[0]
        for seed in range(40)
    ]
    n = round(fmean(one.sensitivity.needed for one in needed))
    shown = [
        analyse(simulate(planted, n, seed, spec=spec), spec=asked, gate=reported)[0].p < 0.05
        for seed in range(300)
    ]
    assert fmean(shown) == pytest.approx(0.8, abs=0.08)


def test_no_lever_at_all_is_rarely_called_one() -> None:
    flat = dict.fromkeys(Effects().stressors, 0.0)
    idle = Effects(stressors=flat, recourses=dict.fromkeys(Effects().recourses, 0.0), together={})
    primary = [claim.name for claim in questions().claim if claim.primary]
    spec = chosen(questions(), primary)
    wrong = 0
    for seed in range(300):
        found = analyse(simulate(idle, 40, seed, spec=spec), spec=spec, gate=reported)
        wrong += any(one.word in {"lowers", "raises"} for one in found)
    assert wrong / 300 <= 0.075


def test_truths_are_differences_of_rates() -> None:
    planted = Effects(bases=0.0, effects=0.0, aware=0.0, together={})
    (promise,) = chosen(questions(), ["promise"]).claim
    with_it, without = (1 / (1 + exp(-odds)) for odds in (-0.9, 0.8))
    assert planted.truth(promise) == pytest.approx(with_it - without)


def test_the_same_seed_plays_the_same_study() -> None:
    assert simulate(Effects(), 5, 1) == simulate(Effects(), 5, 1) != simulate(Effects(), 5, 2)
    assert {row.aware for row in simulate(Effects(judged=False), 3, 1)} == {"unknown"}
