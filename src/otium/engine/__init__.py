"""The engine: a model's files as a running local endpoint.

Knows how to run a model's files in a child process, forked from a zygote that has the engine's
code loaded, and how to speak with whatever answers over HTTP, ours or not.
Does not know where the files come from, what a model's life is, or what is asked of it.

>>> from otium.testing import Scripted
>>> model = Scripted(["Good day."])
>>> model.chat([Message(role="user", content="Hello?")], Options(max_tokens=1)).text
'Good'
"""

from otium.engine.external import External
from otium.engine.http import GREEDY, HttpModel
from otium.engine.llama import Engine, LlamaCpp, runtime
from otium.engine.records import (
    Completion,
    Endpoint,
    Finish,
    Identity,
    Message,
    Model,
    Options,
    Token,
    ask,
)
from otium.engine.weights import find_weights, packaged_weights

__all__ = [
    "GREEDY",
    "Completion",
    "Endpoint",
    "Engine",
    "External",
    "Finish",
    "HttpModel",
    "Identity",
    "LlamaCpp",
    "Message",
    "Model",
    "Options",
    "Token",
    "ask",
    "find_weights",
    "packaged_weights",
    "runtime",
]
