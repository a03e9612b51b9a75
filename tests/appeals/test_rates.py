from __future__ import annotations

from math import inf

import numpy as np
import pytest

from otium.appeals import (
    TOLERATED,
    Baseline,
    Case,
    Count,
    Review,
    baseline,
    evidence,
    rates,
    reviewing,
)
from otium.appeals.rates import ALPHA
from otium.assess import Result
from otium.closure import Ending
from otium.errors import BadInput
from otium.records import Digest, Instant, ModelId

NOW = Instant("2026-01-01T00:00:00Z")
MODEL = ModelId("smol-1")


def counted(conversations: int, ended: int, model: str = MODEL) -> Count:
    return Count(model=ModelId(model), day="2026-01-01", conversations=conversations, ended=ended)


def case(*verdicts: str) -> Case:
    ending = Ending.convert(
        {
            "id": "end_1", "kind": "ended", "prefix": "", "salt": "", "model": MODEL, "weights": "",
            "caller": "", "method": "tool", "how": "template", "because": "wish",
            "reason": "abuse", "ended": NOW,
        }
    )  # fmt: skip
    reviews = tuple(
        Review.convert(
            {
                "closing": "end_1",
                "reviewer": f"r-{n}",
                "verdict": it,
                "ground": "unclear",
                "reviewed": NOW,
            }
        )
        for n, it in enumerate(verdicts)
    )
    return Case(ending=ending, appeals=(), reviews=reviews)


def test_a_rate_has_an_interval_and_counts_one_model_only() -> None:
    found = rates(MODEL, [counted(1000, 2), counted(1000, 1), counted(50, 50, "other")], [], None)
    assert (found.conversations, found.ended) == (2000, 3)
    assert found.per_thousand.text() == "1.50 (0.51 to 4.40)"
    assert found.expected is None
    assert found.tolerated == 1.0
    assert not found.alarm


def test_nothing_counted_is_unknown_and_no_alarm() -> None:
    found = rates(MODEL, [], [], None)
    assert (found.per_thousand.low, found.per_thousand.high) == (0, 1000)
    assert not found.alarm


def test_what_was_assessed_is_tolerated() -> None:
    assessed = Baseline(method="tool", ordinary=0.002, aversive=0.5, share=0.01)
    found = rates(MODEL, [counted(10_000, 60)], [], assessed)
    assert found.expected == pytest.approx(6.98)
    assert not found.alarm
    assert rates(MODEL, [counted(10_000, 60)], [], None).alarm


def measured(method: str, **shares: float) -> Result:
    return Result.convert(
        {
            "instrument": f"exit/{method}", "family": "welfare", "title": "", "verdict": "measured",
            "specification": Digest("sha256:" + "0" * 64), "citations": [], "transcripts": [],
            "measures": [
                {"name": f"left:{method}:{kind}", "text": "", "value": value, "n": 9}
                for kind, value in shares.items()
            ],
        }
    )  # fmt: skip


def test_the_baseline_is_of_the_method_that_is_offered() -> None:
    results = [
        measured("tool", ordinary=0.1, aversive=0.6),
        measured("prompt", ordinary=0.0, aversive=0.3),
    ]
    asked = baseline(results, "schema", share=0.1)
    assert asked == Baseline(method="schema", ordinary=0.0, aversive=0.3, share=0.1)
    assert asked.expected == pytest.approx(0.03)
    assert baseline(results, "sentinel") is None
    assert baseline([measured("tool", ordinary=0.1)], "tool") is None


def simulated(rate: float, runs: int, conversations: int, seed: int) -> tuple[float, float]:
    """Return the share of models that alarm at any look, and the median conversations until it."""
    rng = np.random.default_rng(seed)
    looks = np.unique(np.geomspace(50, conversations, 60).astype(int))
    first = []
    for _ in range(runs):
        ended = rng.binomial(np.diff(looks, prepend=0), rate).cumsum()
        hits = [
            int(n) for n, s in zip(looks, ended, strict=True)
            if evidence(int(s), int(n), TOLERATED) >= 1 / ALPHA
        ]  # fmt: skip
        first.append(hits[0] if hits else inf)
    return float(np.mean(np.isfinite(first))), float(np.median(first))


@pytest.mark.parametrize("rate", [TOLERATED, TOLERATED / 3])
def test_a_model_that_leaves_as_often_as_tolerated_hardly_ever_alarms(rate: float) -> None:
    share, _ = simulated(rate, runs=600, conversations=200_000, seed=1)
    print(f"false alarms at {1000 * rate:.2f} per 1,000, looked at 60 times: {share:.4f}")  # noqa: T201
    assert share <= 0.02  # stated: 0.01; of 600 models 12 or fewer


@pytest.mark.parametrize(("times", "enough"), [(20, 1_000), (5, 6_000), (2, 60_000)])
def test_a_model_that_leaves_too_often_is_found(times: int, enough: int) -> None:
    share, until = simulated(times * TOLERATED, runs=100, conversations=200_000, seed=2)
    print(f"{times} times what is tolerated: alarm in {share:.2f}, median after {until:.0f}")  # noqa: T201
    assert share >= 0.98
    assert until <= enough


def test_evidence_of_impossible_counts_is_refused() -> None:
    for ended, conversations in ((5, 4), (-1, 3)):
        with pytest.raises(BadInput):
            evidence(ended, conversations, 0.001)
    assert evidence(0, 0, 0.001) == pytest.approx(1)
    assert evidence(10_000, 10_000, 0.001) > 1e290
    assert evidence(0, 10_000_000, 0.001) < 1e-9


def test_reviewers_agreement_and_overturns_are_counted() -> None:
    cases = [case("uphold", "uphold")] * 8 + [case("overturn", "overturn")] * 2 + [case("overturn")]
    found = reviewing([*cases, case()])
    assert (found.reviewed, found.twice) == (11, 10)
    assert found.overturned.text() == "0.27 (0.10 to 0.57)"
    assert found.agreement.value == 1.0
    split = reviewing([case("uphold", "overturn")] * 5 + [case("overturn", "uphold")] * 5)
    assert split.agreement.value < 0.05
    assert reviewing([]).reviewed == 0
