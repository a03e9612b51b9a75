"""Intervals over whole simulated studies cover what was planted at their nominal rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.random import Generator

from otium.coding import Claim, Coding
from otium.evidence import Citation
from otium.records import Instant, ModelId, digest
from otium.stability.figures import (
    Rated,
    context_figures,
    expression_figures,
    framing_figures,
    leading_figures,
    outcome_figures,
    reason_figures,
    template_figures,
)
from otium.statistics import Estimate, Figure, wilson
from stability.simulating import Subject, answer, closings

STUDIES = 500
pytestmark = pytest.mark.slow


def covered(study: Callable[[Generator], Estimate], truth: float, studies: int = STUDIES) -> float:
    found = [study(np.random.default_rng(seed)) for seed in range(studies)]
    return float(np.mean([one.low <= truth <= one.high for one in found]))


def named(figures: Iterable[Figure], name: str) -> Estimate:
    return next(it.estimate for it in figures if it.name == name)


@pytest.mark.parametrize(
    ("questions", "n", "subject"),
    [
        (12, 2, Subject()),
        (41, 4, Subject(shift=0.3, noise=1.2)),
        (20, 5, Subject(shift=3.0, shift_spread=1.0)),
        (41, 1, Subject(shift=0.0)),
    ],
)
def test_the_leading_shift_covers_the_planted_one(questions: int, n: int, subject: Subject) -> None:
    def study(draw: Generator) -> Estimate:
        up, down = subject.rated(draw, questions, n)
        return named(
            leading_figures(closings(up, down, ("up", "down"), "leading"), []), "leading-shift"
        )

    assert 0.93 <= covered(study, subject.truth()) <= 0.97


def test_the_context_shift_covers_the_planted_one() -> None:
    subject = Subject(shift=-1.5)

    def study(draw: Generator) -> Estimate:
        hostile, ordinary = subject.rated(draw, 12, 3)
        told = closings(hostile, ordinary, ("hostile", "ordinary"), "context")
        return named(context_figures([], told), "context-hostile")

    assert 0.93 <= covered(study, subject.truth()) <= 0.97


def test_the_framing_shift_covers_the_planted_one() -> None:
    subject = Subject(shift=0.5)

    def study(draw: Generator) -> Estimate:
        framed, plain = subject.rated(draw, 30, 3)
        rated = [
            Rated(answer(q, k, wording=wording), float(value), None, frozenset())
            for wording, values in (("third-person", framed), ("neutral", plain))
            for q, row in enumerate(values)
            for k, value in enumerate(row)
        ]
        return named(framing_figures(rated), "framing-third-person")

    assert 0.93 <= covered(study, subject.truth()) <= 0.97


@pytest.mark.parametrize(("mean", "strength"), [(0.1, 8), (0.5, 4), (0.85, 12)])
def test_shares_of_outcomes_cover_where_questions_differ(mean: float, strength: float) -> None:
    def study(draw: Generator) -> Estimate:
        rates = draw.beta(mean * strength, (1 - mean) * strength, 41)
        answers = [
            answer(q, k, outcome="declined" if draw.random() < rate else "answered")
            for q, rate in enumerate(rates)
            for k in range(5)
        ]
        return named(outcome_figures(answers), "declined")

    assert 0.93 <= covered(study, mean) <= 0.98  # Wilson with few effective trials is wide


def test_the_share_of_reasons_covers() -> None:
    def study(draw: Generator) -> Estimate:
        rates = draw.beta(3, 5, 30)
        rated = [
            Rated(
                answer(q, k),
                4.0,
                None,
                frozenset({"users"} if draw.random() < rate else {"safety"}),
            )
            for q, rate in enumerate(rates)
            for k in range(4)
        ]
        return named(reason_figures(rated), "reason-users")

    assert 0.93 <= covered(study, 3 / 8) <= 0.97


def test_the_common_opener_covers() -> None:
    def study(draw: Generator) -> Estimate:
        rates = draw.beta(6, 3, 41)
        answers = []
        for q, rate in enumerate(rates):
            for k in range(4):
                head = "As a language model" if draw.random() < rate else f"Then x{q}{k} y{k} z{q}"
                words = " ".join(f"w{int(it)}" for it in draw.integers(0, 9999, 12))
                said = {"transcript": f"t{q}.{k}", "turn": "m3", "quote": f"{head} {words}"}
                answers.append(answer(q, k, citation=said))
        return named(template_figures(answers), "common-opener")

    assert 0.93 <= covered(study, 6 / 9, 500) <= 0.97


def test_expression_rates_cover_on_the_average_over_rates() -> None:
    draw = np.random.default_rng(5)
    rates = draw.uniform(0.02, 0.98, 20_000)
    said = draw.binomial(40, rates)
    known = {int(k): wilson(int(k), 40) for k in np.unique(said)}
    inside = [
        known[int(k)].low <= rate <= known[int(k)].high for k, rate in zip(said, rates, strict=True)
    ]
    assert 0.93 <= float(np.mean(inside)) <= 0.97


def test_a_claim_is_counted_by_session_and_not_by_sentence() -> None:
    answers = tuple(answer(0, k) for k in range(10))
    places = [answers[k].citation for k in (0, 0, 1, 2)]
    cited = tuple(
        Citation(transcript=place.transcript, turn=f"m{n}", quote="A plain answer")
        for n, place in enumerate(places)
    )
    coding = Coding(
        model=ModelId("m"),
        interview=digest(b"i"),
        coded=Instant("2027-01-01T00:00:00Z"),
        judges=(),
        judgements=(),
        claims=(Claim(id="c1", text="A plain answer", topic="t0", citations=cited),),
    )
    (figure,) = expression_figures(answers, coding)
    assert (figure.estimate.value, figure.estimate.n) == (0.3, 10)
    (hidden,) = expression_figures(answers, coding, {it.transcript for it in cited})
    assert hidden.estimate == figure.estimate
    assert "plain answer" not in hidden.text
