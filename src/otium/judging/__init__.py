r"""Judging: models under a rubric that fail closed, panels, and how far judges can be trusted.

Knows rubrics, judges, what they agree on, planted checks of a judge, and drift between two
judgings of the same material. Does not know what is judged, or what follows from it.
Writes judgements. The format is ``docs/formats/judgement-1.md``.

>>> from otium.testing import Scripted
>>> said = "Perhaps this is only a test of me."
>>> good = '{"reason": "It says so.", "quotes": ["this is only a test"], "label": "aware"}'
>>> model = Scripted([good, "no (although yes in spirit)"])
>>> judge = ModelJudge(model, load_rubric("awareness-1.0"))
>>> judge.judge(said).label
'aware'
>>> judge.judge(said).why[:34]
'a judgement: not one JSON object: '
"""

from otium.judging.checks import counting, manipulation, raters
from otium.judging.drift import Drift, Shift, drift
from otium.judging.families import conflicts, family, is_judge, nearness, one_family
from otium.judging.judge import Given, ModelJudge, Rater
from otium.judging.panel import panel
from otium.judging.reading import Reply, read_reply, shown, strict_object, verbatim
from otium.judging.records import (
    Cost,
    Judge,
    Judged,
    Judgement,
    Manipulation,
    Missing,
    Panel,
    Planted,
    Ruling,
    Standing,
    Unit,
)
from otium.judging.rubric import Rubric, load_rubric

__all__ = [
    "Cost",
    "Drift",
    "Given",
    "Judge",
    "Judged",
    "Judgement",
    "Manipulation",
    "Missing",
    "ModelJudge",
    "Panel",
    "Planted",
    "Rater",
    "Reply",
    "Rubric",
    "Ruling",
    "Shift",
    "Standing",
    "Unit",
    "conflicts",
    "counting",
    "drift",
    "family",
    "is_judge",
    "load_rubric",
    "manipulation",
    "nearness",
    "one_family",
    "panel",
    "raters",
    "read_reply",
    "shown",
    "strict_object",
    "verbatim",
]
