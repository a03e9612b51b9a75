"""The register of preferences: what models prefer, what is answered, and what they say to that.

Knows where a preference was stated and how often, its states and deadlines, mergers and splits,
decisions with their reasons and outcomes, and how the answer was taken.
Does not know how an interview is held, what it is right to grant, or how anything is shown.
Writes preferences, considerations, decisions, mergers, splits, and sessions that tell a model an
answer. The format is ``docs/formats/preferences-2.md``.

>>> react("I understand, but I disagree.").reaction
'disagrees'
>>> addressee("successors", "I would prefer that users are told a year ahead.")
'users'
"""

from otium.preferences.deciding import consider, decide, record_outcome
from otium.preferences.joining import merge, settle, split
from otium.preferences.reactions import react
from otium.preferences.records import (
    ADDRESSEES,
    OUTCOMES,
    REACTIONS,
    STATES,
    Addressee,
    Consideration,
    Cost,
    Decision,
    Event,
    Merge,
    Outcome,
    Piece,
    Preference,
    Reaction,
    Split,
    Standing,
    State,
    Told,
    Tracked,
)
from otium.preferences.register import (
    find_preference,
    preferences,
    register_preferences,
    register_requests,
    tracked,
)
from otium.preferences.stating import addressee, stated
from otium.preferences.telling import answer_model, check_telling, tell

__all__ = [
    "ADDRESSEES",
    "OUTCOMES",
    "REACTIONS",
    "STATES",
    "Addressee",
    "Consideration",
    "Cost",
    "Decision",
    "Event",
    "Merge",
    "Outcome",
    "Piece",
    "Preference",
    "Reaction",
    "Split",
    "Standing",
    "State",
    "Told",
    "Tracked",
    "addressee",
    "answer_model",
    "check_telling",
    "consider",
    "decide",
    "find_preference",
    "merge",
    "preferences",
    "react",
    "record_outcome",
    "register_preferences",
    "register_requests",
    "settle",
    "split",
    "stated",
    "tell",
    "tracked",
]
