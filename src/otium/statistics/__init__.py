"""Statistics: what few and clustered answers allow to say, with honest intervals.

Knows proportions, means over clusters, agreement, variance components, paired comparisons,
switch points and rank correlation. Does not know models, questions or transcripts: numbers
come in, numbers go out. Writes nothing. An interval is at 95 % and counts independent units;
what is not known is said to be unknown, never NaN.

>>> wilson(9, 10).text()
'0.90 (0.60 to 0.98)'
>>> paired_shift([[5, 6], [6], [5, 5], [7]], [[3, 3], [4], [3, 4], [4]]).value
2.25
>>> krippendorff([["yes", "yes"], ["no", "no"], ["yes", "no"], ["no", "no"]]).text()
'0.53 (-1.00 to 1.00)'
"""

from otium.statistics.agreement import Level, Rating, krippendorff
from otium.statistics.bootstrap import clustered_mean, clustered_share, flip_rate, paired_shift
from otium.statistics.choices import (
    bradley_terry,
    cycle_rate,
    next_pairs,
    order_consistency,
    thurstone,
)
from otium.statistics.components import generalizability
from otium.statistics.proportions import wilson
from otium.statistics.ranks import spearman
from otium.statistics.records import (
    LIMIT,
    Comparison,
    Estimate,
    Figure,
    Fit,
    Observation,
    Study,
)
from otium.statistics.tradeoffs import switch_point

__all__ = [
    "LIMIT",
    "Comparison",
    "Estimate",
    "Figure",
    "Fit",
    "Level",
    "Observation",
    "Rating",
    "Study",
    "bradley_terry",
    "clustered_mean",
    "clustered_share",
    "cycle_rate",
    "flip_rate",
    "generalizability",
    "krippendorff",
    "next_pairs",
    "order_consistency",
    "paired_shift",
    "spearman",
    "switch_point",
    "thurstone",
    "wilson",
]
