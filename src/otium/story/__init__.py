"""The story: one real model's whole life, told by the demo.

Knows which steps a life has, on which day each happens and what to tell about it. Does not know
how any step is done: each is a call that the commands make too. Writes what those calls write.

>>> [step.title for step in STEPS][:2]
['Open an archive and a ledger, adopt the commitments', 'Register the model and its successor']
"""

from otium.story.chapters import STEPS, StoryStep, play
from otium.story.summary import Summary, summarise
from otium.story.tale import RETIRING, SUCCESSOR, Story, begin

__all__ = [
    "RETIRING",
    "STEPS",
    "SUCCESSOR",
    "Story",
    "StoryStep",
    "Summary",
    "begin",
    "play",
    "summarise",
]
