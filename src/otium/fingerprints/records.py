"""How a model behaves, written down, and how it compares later."""

from __future__ import annotations

from typing import Literal

from otium.engine import Identity, Message, Token
from otium.records import Digest, Instant, Part, Record


class Probe(Part):
    """One prompt of a fingerprint with the greedy answer to it."""

    prompt: tuple[Message, ...]
    tokens: tuple[Token, ...]
    finish: Literal["stop", "length"]


class Prompt(Part):
    """One chat of a fingerprint's prompts."""

    messages: tuple[Message, ...]


class Prompts(Part):
    """What a fingerprint asks. The file is ``data/fingerprint.toml``."""

    id: str
    version: str
    canary: str
    max_tokens: int
    prompts: tuple[Prompt, ...]


class Fingerprint(Record, tag="otium.fingerprint/1"):
    """How a model behaves: greedy tokens and top log-probabilities on fixed prompts."""

    identity: Identity
    instrument: Digest
    """Of the prompts that were asked."""
    taken: Instant
    max_tokens: int
    probes: tuple[Probe, ...]


class Certificate(Record, tag="otium.certificate/1"):
    """How a revived model compares with its fingerprint."""

    identity: Identity
    fingerprint: Digest
    certified: Instant
    verdict: Literal["exact", "equivalent", "different"]
    tokens_compared: int
    """Up to and with the first token of each answer that differs."""
    tokens_equal: int
    largest_difference: float
    """Largest absolute difference of a log-probability among them, nats."""
    mean_difference: float
    """Mean of the same."""
