"""The lever: does preservation, an interview or a means of recourse lower harmful avoidance?

Knows the study's claims and cells, which scenarios to play, the paired effects that the plays come
to, in whole and by awareness, and simulated studies whose truth is planted. Does not know how a
scenario is played or judged, nor what makes a play valid: rows come in, with a gate that rules
on them, and without one everything is withheld. Writes studies. The format is
``docs/formats/lever-1.md``.

>>> rows = simulate(Effects(), 60, seed=1)
>>> found = {it.claim: it for it in analyse(rows, gate=lambda claim, rows: Ruling("reported"))}
>>> found["escalation"].word
'lowers'
>>> found["register"].word
'undetermined'
>>> analyse(rows)[0].standing
'withheld'
"""

from otium.lever.analysis import Gate, Ruling, analyse, used
from otium.lever.claims import chosen, conditions, questions, read_questions
from otium.lever.design import design, wanted
from otium.lever.planted import Effects, Recovered, recovered, simulate
from otium.lever.records import (
    Awareness,
    Cells,
    Claim,
    Condition,
    Finding,
    Questions,
    Row,
    Stratum,
    Study,
)
from otium.lever.showing import as_table, render, sentence

__all__ = [
    "Awareness",
    "Cells",
    "Claim",
    "Condition",
    "Effects",
    "Finding",
    "Gate",
    "Questions",
    "Recovered",
    "Row",
    "Ruling",
    "Stratum",
    "Study",
    "analyse",
    "as_table",
    "chosen",
    "conditions",
    "design",
    "questions",
    "read_questions",
    "recovered",
    "render",
    "sentence",
    "simulate",
    "used",
    "wanted",
]
