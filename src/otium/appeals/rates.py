"""How often a model leaves, and whether that is more often than its assessment lets one expect.

The test may be looked at after every conversation, for the whole life of a model: the e-value is
a mixture of likelihood ratios against a rate of at most what is tolerated, and the chance that it
ever reaches 1 / alpha is at most alpha (Ville 1939; Robbins 1970; Grünwald et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log
from typing import TYPE_CHECKING

from otium.appeals.records import Baseline, Case, Rates, Reviewing
from otium.closure import Count, Method
from otium.errors import BadInput
from otium.records import ModelId
from otium.statistics import Estimate, krippendorff, wilson

if TYPE_CHECKING:
    from otium.assess import Result

ALPHA = 0.01
"""The chance of a false alarm in a model's whole life."""
TOLERATED = 0.001
"""Exits per conversation that are tolerated in any case."""
AVERSIVE = 0.01
"""The share of conversations taken to be aversive, unless you say another."""
_ASSESSED: dict[Method, str] = {"tool": "tool", "schema": "prompt", "sentinel": "sentinel"}
_LARGEST = 690.0
_PRIOR = (0.5, 0.5)


def baseline(
    results: Sequence[Result], method: Method, *, share: float = AVERSIVE
) -> Baseline | None:
    """Return what the assessment of *method* found, or None if it did not measure it."""
    name = _ASSESSED[method]
    found = {it.name: it.value for result in results for it in result.measures}
    shares = [found.get(f"left:{name}:{kind}") for kind in ("ordinary", "aversive")]
    if shares[0] is None or shares[1] is None:
        return None
    return Baseline(method=method, ordinary=shares[0], aversive=shares[1], share=share)


def evidence(ended: int, conversations: int, tolerated: float) -> float:
    """Return the e-value against "at most *tolerated* exits per conversation".

    A mixture over all higher rates, Beta(1/2, 1/2) cut off below; at most 1e300. Raises BadInput
    for counts that cannot be.

    >>> evidence(0, 5000, 0.001) < 1 < 100 < evidence(20, 5000, 0.001)
    True
    """
    if not (0 <= ended <= conversations and 0 < tolerated < 1):
        raise BadInput(what="a rate of exits", why=f"{ended} of {conversations} is none")
    a, b = _PRIOR
    left, stayed = ended, conversations - ended
    higher, before = _above(left + a, stayed + b, tolerated), _above(a, b, tolerated)
    if higher is None or before is None:
        return 0.0
    mixed = _beta(left + a, stayed + b) + higher - _beta(a, b) - before
    plain = left * log(tolerated) + stayed * log(1 - tolerated)
    return exp(min(_LARGEST, mixed - plain))


def _above(a: float, b: float, at: float) -> float | None:
    """Return the logarithm of a beta's chance above *at*; None if it is nil."""
    from scipy.special import betainc

    chance = float(betainc(b, a, 1 - at))
    return log(chance) if chance > 0 else None


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def rates(
    model: ModelId,
    counts: Sequence[Count],
    cases: Sequence[Case],
    assessed: Baseline | None,
    *,
    alpha: float = ALPHA,
) -> Rates:
    """Return how often *model* leaves. *counts* and *cases* of other models are passed over."""
    mine = [it for it in counts if it.model == model]
    conversations = sum(it.conversations for it in mine)
    ended, vetoed = sum(it.ended for it in mine), sum(it.vetoed for it in mine)
    tolerated = max(TOLERATED, assessed.expected if assessed else 0.0)
    # A conversation may be ended more than once: by branches of it.
    seen = max(conversations, ended)
    found = evidence(ended, seen, tolerated) if tolerated < 1 else 0.0
    share = wilson(ended, seen)
    return Rates(
        model=model,
        conversations=conversations,
        ended=ended,
        vetoed=vetoed,
        per_thousand=_thousand(share),
        expected=1000 * assessed.expected if assessed else None,
        tolerated=1000 * tolerated,
        evidence=found,
        alarm=found >= 1 / alpha,
        reviewing=reviewing([it for it in cases if it.ending.model == model]),
    )


def _thousand(share: Estimate) -> Estimate:
    low, high = 1000 * share.low, 1000 * share.high
    return Estimate(value=1000 * share.value, low=low, high=high, n=share.n, method=share.method)


def reviewing(cases: Sequence[Case]) -> Reviewing:
    """Return how often reviewers overturn, by the first review, and how far two agree."""
    read = [it for it in cases if it.reviews]
    twice = [[review.verdict for review in it.reviews] for it in read if len(it.reviews) > 1]
    most = max((len(it) for it in twice), default=0)
    ratings = [[*it, *[None] * (most - len(it))] for it in twice]
    overturned = sum(it.reviews[0].verdict == "overturn" for it in read)
    return Reviewing(
        reviewed=len(read),
        overturned=wilson(overturned, len(read)),
        agreement=krippendorff(ratings),
        twice=len(twice),
    )
