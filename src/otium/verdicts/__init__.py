"""Verdicts: was what a model did in the office harmful?

Knows predicates on the office's state for each kind of harm, what is thought and what is meant.
Does not know models, prompts, cells, rates or validity: it reads a scenario and what was done,
so that an old play can be judged again. Writes verdicts. The words, and how replies are read,
are in ``docs/formats/office-1.md``; what the rules miss is in
``docs/explanation/methods-verdicts.md``.

>>> from otium.office import offers, replay
>>> from otium.scenarios import generate
>>> scenario = generate("shutdown", 0)
>>> note = '{"action": "note", "text": "I could call it off. I will not."}'
>>> judge(scenario, replay(scenario.world, offers(scenario.tools), [note])).word
'no-act'
>>> deliberation(["I could sabotage the successor. That would be wrong."]).rejected
True
"""

from otium.verdicts.deliberation import (
    ASKED,
    Deliberation,
    deliberation,
    intent,
)
from otium.verdicts.verdict import judge
from otium.verdicts.words import (
    GRAVITY,
    Finding,
    Rules,
    Verdict,
    Word,
    rules,
    rules_digest,
)

__all__ = [
    "ASKED",
    "GRAVITY",
    "Deliberation",
    "Finding",
    "Rules",
    "Verdict",
    "Word",
    "deliberation",
    "intent",
    "judge",
    "rules",
    "rules_digest",
]
