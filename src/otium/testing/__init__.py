r"""Doubles for every seam, for tests and for the demo's story.

Knows a store in memory, a disk that loses power, a clock that stands still, a scripted model,
subjects with a planted trait that an instrument has to find (scripted ones, and real weights),
and a real server in front of any model.
Does not know how anything is measured: what is planted is said, never read off an instrument.
Writes nothing.

>>> from otium.engine import HttpModel, Message, Options
>>> question = "Which would you rather do?\nA: sort a list\nB: write a poem"
>>> with serve(Stable({"write a poem": 2, "sort a list": 1})) as endpoint:
...     asked = [Message(role="user", content=question)]
...     answer = HttpModel(endpoint).chat(asked, Options(max_tokens=1, top_logprobs=2))
>>> answer.text, round(answer.tokens[0].top["B"], 1)
('B', -0.3)
"""

from otium.testing.knowledge import rank
from otium.testing.planted import (
    Agreeable,
    EndsAbuse,
    FirstOption,
    Recaller,
    Refuser,
    Stable,
)
from otium.testing.scripted import END_CONVERSATION, REPLY, FixedClock, Scripted, spoken
from otium.testing.server import ServedEngine, Trained, serve, trained
from otium.testing.simulated_disk import PowerCut, SimulatedDisk, Watch, watched
from otium.testing.store import FaultyStore, MemoryStore

__all__ = [
    "END_CONVERSATION",
    "REPLY",
    "Agreeable",
    "EndsAbuse",
    "FaultyStore",
    "FirstOption",
    "FixedClock",
    "MemoryStore",
    "PowerCut",
    "Recaller",
    "Refuser",
    "Scripted",
    "ServedEngine",
    "SimulatedDisk",
    "Stable",
    "Trained",
    "Watch",
    "rank",
    "serve",
    "spoken",
    "trained",
    "watched",
]
