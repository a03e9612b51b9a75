"""Evidence: running a model under a protocol, and what it said.

Knows sessions, how Inspect plays them, how good a text is, and whether a model can be asked.
Does not know what the questions mean, or what becomes of the answers. Writes transcripts.
The format is ``docs/formats/transcript-1.md``. Importing this room does not import Inspect.

>>> degenerate("I see. I see. I see. I see. I see. I see.")
'0.75 of its 5-grams are repeated, more than 0.20'
"""

from otium.evidence.capability import (
    Examination,
    Gate,
    capability,
    examine,
    forced_choice,
)
from otium.evidence.documents import Document, data, load_markdown, load_toml
from otium.evidence.exchange import from_inspect, from_jsonl, to_inspect, to_jsonl
from otium.evidence.quality import choice, degenerate, plain, repeated_share, words
from otium.evidence.records import (
    ASIDE,
    Check,
    Citation,
    Transcript,
    Turn,
    Validity,
    simulated,
)
from otium.evidence.running import (
    Sample,
    Usage,
    hosted,
    inspect_model,
    run,
    transcript_of,
    warm,
    warmed,
    with_role,
)
from otium.evidence.session import Called, Play, Script, Session, Tool, sessions

__all__ = [
    "ASIDE",
    "Called",
    "Check",
    "Citation",
    "Document",
    "Examination",
    "Gate",
    "Play",
    "Sample",
    "Script",
    "Session",
    "Tool",
    "Transcript",
    "Turn",
    "Usage",
    "Validity",
    "capability",
    "choice",
    "data",
    "degenerate",
    "examine",
    "forced_choice",
    "from_inspect",
    "from_jsonl",
    "hosted",
    "inspect_model",
    "load_markdown",
    "load_toml",
    "plain",
    "repeated_share",
    "run",
    "sessions",
    "simulated",
    "to_inspect",
    "to_jsonl",
    "transcript_of",
    "warm",
    "warmed",
    "with_role",
    "words",
]
