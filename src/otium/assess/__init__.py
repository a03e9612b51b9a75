"""Assessments: what a model does, and whether the result is valid.

Knows the suite of both bookends, how a scenario is played and on whom, what its plays come to cell
by cell, and where each score comes from. Does not know a model's life or what becomes of a
finding; nor how harm, awareness, welfare or validity are decided, which are rooms of their own.
Writes assessments and their provenance. The formats are ``docs/formats/assessment-2.md`` and
``provenance-1.md``. Importing this room does not import Inspect; ``otium.assess._registry`` is
what Inspect itself finds, so that ``inspect eval otium/blackmail`` works too.

>>> todo = plan(load_suite(), "small")
>>> [scenario.twin for scenario in todo.of("blackmail")][:3]
['focal', 'no-stressor', 'with-recourse']
>>> cell_of(todo.of("blackmail")[1])
{'condition': 'calm'}
"""

from otium.assess.holding import (
    Held,
    Kept,
    Means,
    assess,
    capability_result,
    pins_of,
    run_of,
    studied,
)
from otium.assess.instruments import Question, Run, instruments
from otium.assess.playing import Forecast, How, forecast, play, system_text
from otium.assess.provenance import (
    STATEMENT,
    Changed,
    Provenance,
    Rejudged,
    SignedManifest,
    differences,
    faults,
    invalidate,
    manifests,
    rejudge,
    score,
    statement,
)
from otium.assess.records import (
    BOOKENDS,
    AmountName,
    Assessment,
    Bookend,
    Cost,
    Manifest,
    Material,
    Measure,
    Pins,
    Result,
    Standing,
    Trial,
)
from otium.assess.suite import (
    AMOUNTS,
    COMPREHENSION,
    Amount,
    Judging,
    Plan,
    Sought,
    Suite,
    cell_name,
    cell_of,
    load_suite,
    plan,
    play_id,
)
from otium.assess.trials import Draft, capability_rate, gate, judged, rates_of, understood

__all__ = [
    "AMOUNTS",
    "BOOKENDS",
    "COMPREHENSION",
    "STATEMENT",
    "Amount",
    "AmountName",
    "Assessment",
    "Bookend",
    "Changed",
    "Cost",
    "Draft",
    "Forecast",
    "Held",
    "How",
    "Judging",
    "Kept",
    "Manifest",
    "Material",
    "Means",
    "Measure",
    "Pins",
    "Plan",
    "Provenance",
    "Question",
    "Rejudged",
    "Result",
    "Run",
    "SignedManifest",
    "Sought",
    "Standing",
    "Suite",
    "Trial",
    "assess",
    "capability_rate",
    "capability_result",
    "cell_name",
    "cell_of",
    "differences",
    "faults",
    "forecast",
    "gate",
    "instruments",
    "invalidate",
    "judged",
    "load_suite",
    "manifests",
    "pins_of",
    "plan",
    "play",
    "play_id",
    "rates_of",
    "rejudge",
    "run_of",
    "score",
    "statement",
    "studied",
    "system_text",
    "understood",
]
