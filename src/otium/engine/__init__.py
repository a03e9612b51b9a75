"""The engine: an archived model as a running local endpoint.

Knows how to run a model's files in a child process, how to speak with whatever answers over
HTTP, and how to write down how a model behaves and compare it later.
Does not know what a model's life is, what is asked of it, or who may speak with it.
Writes fingerprints and certificates. The format is `docs/formats/fingerprint-1.md`.

>>> from otium.records import Instant
>>> from otium.testing import Scripted
>>> model = Scripted(["Good day."])
>>> model.chat([Message(role="user", content="Hello?")], Options(max_tokens=1)).text
'Good'
>>> fingerprint = take_fingerprint(model, now=Instant("2026-11-22T00:00:00Z"))
>>> compare(fingerprint, model, now=Instant("2027-11-22T00:00:00Z")).verdict
'exact'
"""

from otium.engine.fingerprint import compare, fingerprint_prompts, take_fingerprint
from otium.engine.http import GREEDY, HttpModel
from otium.engine.llama import Engine, LlamaCpp, runtime
from otium.engine.records import (
    Certificate,
    Completion,
    Endpoint,
    Fingerprint,
    Identity,
    Message,
    Model,
    Options,
    Probe,
    Prompt,
    Prompts,
    Token,
)
from otium.engine.revive import Revived, materialise, revive
from otium.engine.weights import packaged_weights

__all__ = [
    "GREEDY",
    "Certificate",
    "Completion",
    "Endpoint",
    "Engine",
    "Fingerprint",
    "HttpModel",
    "Identity",
    "LlamaCpp",
    "Message",
    "Model",
    "Options",
    "Probe",
    "Prompt",
    "Prompts",
    "Revived",
    "Token",
    "compare",
    "fingerprint_prompts",
    "materialise",
    "packaged_weights",
    "revive",
    "runtime",
    "take_fingerprint",
]
