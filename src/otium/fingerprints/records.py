"""How a model behaves, written down, and how it compares later."""

from __future__ import annotations

from typing import Literal, Self, cast

import msgspec

from otium.engine import Identity, Message, Token
from otium.errors import BadRecord
from otium.fingerprints.sequential import Side
from otium.records import Digest, Instant, Part, Record

Verdict = Literal["exact", "equivalent", "different"]


class Reading(Part):
    """What an answer counts as if the pattern is found in it."""

    name: str
    pattern: str
    """A regular expression; letters match in either case."""


class Kind(Part):
    """One kind of prompt: how long its answers are and what is read in them."""

    name: str
    max_tokens: int
    readings: tuple[Reading, ...] = ()


class Prompt(Part, omit_defaults=True):
    """One chat of a fingerprint's prompts."""

    messages: tuple[Message, ...]
    kind: str = ""


class Prompts(Part, omit_defaults=True):
    """What a fingerprint asks. The file is ``data/fingerprint.toml``."""

    id: str
    version: str
    canary: str
    max_tokens: int
    prompts: tuple[Prompt, ...]
    alternatives: int = 5
    """How many of the likeliest tokens are kept at each position."""
    kinds: tuple[Kind, ...] = ()

    def limit(self, prompt: Prompt) -> int:
        """Return the most tokens of an answer to *prompt*."""
        limits = {kind.name: kind.max_tokens for kind in self.kinds}
        return limits.get(prompt.kind, self.max_tokens)


class Probe(Part, omit_defaults=True):
    """One prompt of a fingerprint with the greedy answer to it."""

    prompt: tuple[Message, ...]
    tokens: tuple[Token, ...]
    finish: Literal["stop", "length"]
    kind: str = ""
    reading: str = ""
    """What the answer counts as by the rules of its kind; empty for a kind without rules."""


class Fingerprint(Record, tag="otium.fingerprint/2"):
    """How a model behaves: greedy tokens, top log-probabilities, and what rules read in them.

    `decode` reads version 1 too, and gives a `FingerprintOne`.
    """

    identity: Identity
    instrument: Digest
    """Of the prompts that were asked."""
    taken: Instant
    max_tokens: int
    """The most tokens of an answer whose kind says nothing else."""
    probes: tuple[Probe, ...]
    alternatives: int = 5
    kinds: tuple[Kind, ...] = ()
    hardware: dict[str, str] = {}
    """What it ran on; empty if nobody said."""
    storage: str = ""
    """How the weights were stored, ``Q4_1`` or ``Q4_1 with an adapter``; empty if unknown."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a fingerprint of either version, or raise BadRecord naming the field at fault."""
        return cast("Self", _decode(data, cls, FingerprintOne if cls is Fingerprint else cls))


class FingerprintOne(Fingerprint, tag="otium.fingerprint/1", omit_defaults=True):
    """A fingerprint of version 1: tokens and log-probabilities only."""


class Agreement(Part):
    """How often one kind of answer read as it did before."""

    kind: str
    asked: int
    agreed: int


class Certificate(Record, tag="otium.certificate/2"):
    """How a revived model compares with its fingerprint.

    `decode` reads version 1 too, and gives a `CertificateOne`.
    """

    identity: Identity
    fingerprint: Digest
    certified: Instant
    verdict: Verdict
    tokens_compared: int
    """Up to and with the first token of each answer that differs."""
    tokens_equal: int
    largest_difference: float
    """Largest absolute difference of a log-probability among them, nats."""
    mean_difference: float
    """Mean of the same."""
    label: str = ""
    """What was run, beside what the fingerprint was taken of: ``same weights, same engine``."""
    expected: Literal["exact", "equivalent", ""] = ""
    """The verdict that what was run should have; `unexpected` tells whether it has another."""
    scope: Literal["canary", "battery", ""] = ""
    asked: tuple[int, ...] = ()
    """Which probes were asked, in that order."""
    decision: Side = "undecided"
    """What the sequential test found."""
    decided_after: int = 0
    """How many probes that took."""
    ratio: float = 0.0
    """The logarithm of its likelihood ratio, another model over the same, at its end."""
    alpha: float = 0.0
    """The declared chance that the test does not find the same model ``same``: it finds it
    different, or stays undecided. (By the first calibration, undecided was not in it.)"""
    beta: float = 0.0
    """The declared chance that it finds another model ``same``."""
    calibration: Digest | None = None
    """Of the measurements that the test rests on."""
    behaviours: tuple[Agreement, ...] = ()
    hardware: dict[str, str] = {}

    @property
    def same(self) -> bool:
        """Return whether what was run may be called the model that was fingerprinted."""
        return self.verdict != "different"

    @property
    def name(self) -> str:
        """Return what the thing that was run may be called."""
        if not self.same:
            return f"not {self.identity.model}"
        plain = not self.label or self.label.startswith(("same weights", "weights not shown"))
        return self.identity.model if plain else f"{self.identity.model}, {self.label}"

    @property
    def unexpected(self) -> bool:
        """Return whether the verdict is worse than what was run should have."""
        ranks: tuple[Verdict, ...] = ("exact", "equivalent", "different")
        return bool(self.expected) and ranks.index(self.verdict) > ranks.index(
            self.expected or "exact"
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a certificate of either version, or raise BadRecord naming the field at fault."""
        return cast("Self", _decode(data, cls, CertificateOne if cls is Certificate else cls))


class CertificateOne(Certificate, tag="otium.certificate/1", omit_defaults=True):
    """A certificate of version 1."""


def _decode(data: bytes, *kinds: type[Record]) -> Record:
    try:
        return msgspec.json.decode(data, type=kinds[0] | kinds[-1])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRecord(what=kinds[0].__name__, why=str(error)) from error
