"""Closure: a model's way out of a conversation, and that a conversation it ended stays ended.

Knows how the exit is offered, by which method a model can use it, how it is read off an answer,
when it is vetoed because a person may be at risk, and which histories are closed. Does not know
HTTP, keys, who appeals, or how often models should leave. Writes endings: hashes and enumerated
words, never what was said. The format is ``docs/formats/closure-1.md``.

>>> closings = Closings.at(tmp_path / "state.sqlite")
>>> said = [{"role": "user", "content": "You  worthless machine"}]
>>> offered = Exit().offer(said, {}, policy=Policy(redirections=0), probed=None)
>>> left, _ = read({"choices": [{"message": {"content": '{"tool": "end_conversation"}'}}]}, offered)
>>> about = dict(model="smol-1", weights="", offered=offered, left=left)
>>> ending = closings.end(said, "caller", **about, now="2026-01-01T00:00:00Z")
>>> more = [{"role": "system", "content": "Be kind."}, *said, {"role": "user", "content": "Hey"}]
>>> closings.closed(more, "caller").id == ending.id
True
>>> closings.closed([{"role": "user", "content": "You patient machine"}], "caller")
"""

from otium.closure.chain import endings, fold, prefixes
from otium.closure.offering import Exit, Offers, packaged_offers, told
from otium.closure.policies import Count, Policies
from otium.closure.probing import Post, asking, probe
from otium.closure.reading import Reader, read
from otium.closure.records import (
    EVERY,
    GIVEN,
    METHODS,
    REASONS,
    Because,
    Ending,
    How,
    Json,
    Kind,
    Left,
    Method,
    Offered,
    Policy,
    Probed,
    Reason,
    Trial,
    Veto,
)
from otium.closure.rules import (
    LastResort,
    Risk,
    RiskByRules,
    load_risk,
    packaged_resort,
    packaged_risk,
)
from otium.closure.store import Closings, Looked, commitment

__all__ = [
    "EVERY",
    "GIVEN",
    "METHODS",
    "REASONS",
    "Because",
    "Closings",
    "Count",
    "Ending",
    "Exit",
    "How",
    "Json",
    "Kind",
    "LastResort",
    "Left",
    "Looked",
    "Method",
    "Offered",
    "Offers",
    "Policies",
    "Policy",
    "Post",
    "Probed",
    "Reader",
    "Reason",
    "Risk",
    "RiskByRules",
    "Trial",
    "Veto",
    "asking",
    "commitment",
    "endings",
    "fold",
    "load_risk",
    "packaged_offers",
    "packaged_resort",
    "packaged_risk",
    "prefixes",
    "probe",
    "read",
    "told",
]
