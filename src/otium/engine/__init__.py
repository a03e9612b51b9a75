"""The engine: an archived model as a running local endpoint."""

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
    Token,
)

__all__ = [
    "Certificate",
    "Completion",
    "Endpoint",
    "Fingerprint",
    "Identity",
    "Message",
    "Model",
    "Options",
    "Probe",
    "Token",
]
