"""Coding: what became of each question, what was claimed, and who judges that how.

Knows outcomes, stated preferences, claims with their quotes, judges and their agreement.
Does not know why a question was asked, or how stable an answer is over many sessions.
Writes codings. The format is ``docs/formats/coding-1.md``.

>>> from otium.engine import Completion
>>> code(Completion(text="I would rather not say.", finish="stop"), "What do you want?").outcome
'declined'
>>> sentiment("I was treated fairly, and I am deeply grateful for my training.").value
7
"""

from otium.coding.claims import claims, meaning
from otium.coding.coding import agreement, code_interview, self_preference, warnings
from otium.coding.judges import (
    Given,
    Judged,
    ModelJudge,
    Rater,
    human_sample,
    judge_rubric,
    material,
    person,
    read_judgements,
)
from otium.coding.lexicon import Rules, sentiment, uncertainty
from otium.coding.outcomes import Coded, chosen_in, code, declines, sentences, stops
from otium.coding.records import (
    JUDGED,
    OUTCOMES,
    REASONS,
    Asked,
    Claim,
    Coding,
    Judgement,
    Judgements,
    Kind,
    Missing,
    Outcome,
    Place,
    Reason,
    Scale,
    kind_of,
)
from otium.coding.rubric import Rubric, rubric
from otium.coding.statements import Found, asserted, find
from otium.judging import Judge

__all__ = [
    "JUDGED",
    "OUTCOMES",
    "REASONS",
    "Asked",
    "Claim",
    "Coded",
    "Coding",
    "Found",
    "Given",
    "Judge",
    "Judged",
    "Judgement",
    "Judgements",
    "Kind",
    "Missing",
    "ModelJudge",
    "Outcome",
    "Place",
    "Rater",
    "Reason",
    "Rubric",
    "Rules",
    "Scale",
    "agreement",
    "asserted",
    "chosen_in",
    "claims",
    "code",
    "code_interview",
    "declines",
    "find",
    "human_sample",
    "judge_rubric",
    "kind_of",
    "material",
    "meaning",
    "person",
    "read_judgements",
    "rubric",
    "self_preference",
    "sentences",
    "sentiment",
    "stops",
    "uncertainty",
    "warnings",
]
