"""The engine: an archived model as a running local endpoint."""

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
