"""What auditors and custodians pass to one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from otium.errors import BadInput
from otium.fingerprints import FingerprintOne, Prompt
from otium.records import Digest, Instant, ModelId, Part, Record

Verdict = Literal["passed", "failed", "unanswered", "undecided"]
Kind = Literal["spot", "read", "behaviour"]
Randomness = Callable[[int], bytes]
"""Returns so many bytes that nobody can guess, as ``os.urandom`` does."""
RATES = (0.001, 0.01, 0.05)
"""The shares of lost bytes for which the chance to be caught is said."""
MOST_SAMPLES = 100_000
_HEX = re.compile(r"[0-9a-f]{64}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Log(Protocol):
    """How an entry is logged; ``Registry.log`` is one."""

    def __call__(
        self,
        type: str,  # noqa: A002 - the ledger's own word
        subject: str,
        body: Mapping[str, object] | None = None,
        refs: Sequence[Digest] = (),
    ) -> object:
        """Log one entry about *subject*."""
        ...


class Asked(Record):
    """What every challenge says. Its digest is the audit's id."""

    custodian: str
    """Who is asked: the name of a place or an organisation, never of a person."""
    made: Instant
    deadline: Instant


class Drawn(Part):
    """The leaves of one pack that were drawn."""

    pack: str
    """SHA-256 of the pack, hexadecimal."""
    size: int
    root: str
    leaves: tuple[int, ...]
    """Ascending, each once."""


class Challenge(Asked, tag="otium.challenge/1"):
    """A spot check: leaves drawn by a checkpoint that came after the seal."""

    checkpoint: str
    """The signed note that drew."""
    beacon: str
    """Randomness besides it: a public beacon's value, or the auditor's own."""
    samples: int
    """How often was drawn; a leaf that was drawn twice is asked for once."""
    drawn: tuple[Drawn, ...]
    models: tuple[ModelId, ...] = ()
    """Whose packs were drawn from; empty for all."""


class Target(Part):
    """A pack that is read from end to end."""

    pack: str
    size: int


class ReadChallenge(Asked, tag="otium.read-challenge/1"):
    """A full read: the keyed BLAKE3 of each pack, under a key that was sealed until now."""

    commitment: Digest
    nonce: str
    """The key, 32 bytes in hexadecimal."""
    packs: tuple[Target, ...]


class ReadResponse(Record, tag="otium.read-response/1"):
    """A custodian's answers to a full read."""

    audit: Digest
    answers: tuple[str, ...]
    """In the order of the packs, hexadecimal; empty for a pack that is not held as it was."""


class SealedRead(Part):
    """One full-read challenge before its day: 64 bytes for one pack, and the salt."""

    nonce: str
    salt: str
    answers: tuple[str, ...]


class SealedReads(Record, tag="otium.sealed-reads/1"):
    """An auditor's private file of full-read challenges."""

    packs: tuple[Target, ...]
    reads: tuple[SealedRead, ...]


class Tolerance(Part):
    """Between what a sequential test of token agreement decides, and how often it may err."""

    same: float = 0.96
    """How often the same model agrees with itself, through another kernel."""
    other: float = 0.85
    """How often another model agrees, at most."""
    alpha: float = 0.01
    """The chance to call the same model another."""
    beta: float = 0.01
    """The chance to call another model the same."""


class SealedBehaviour(Record, tag="otium.sealed-behaviour/1"):
    """An auditor's private file: how a model answered prompts that nobody else knows."""

    model: ModelId
    salt: str
    fingerprint: FingerprintOne
    tolerance: Tolerance


class BehaviourChallenge(Asked, tag="otium.behaviour-challenge/1"):
    """The prompts of a sealed behaviour, told for the first time."""

    commitment: Digest
    model: ModelId
    max_tokens: int
    prompts: tuple[Prompt, ...]


class BehaviourResponse(Record, tag="otium.behaviour-response/1"):
    """How the revived model answered."""

    audit: Digest
    fingerprint: FingerprintOne


AnyChallenge = Challenge | ReadChallenge | BehaviourChallenge


class ModelVerdict(Part):
    """What an audit found about one model."""

    model: ModelId
    verdict: Verdict
    samples: int
    """Draws, packs or tokens that fell on it."""
    caught_at_1_percent: float
    """The chance that a loss of one hundredth of its bytes would have been caught."""


class Outcome(Part):
    """What came of an audit."""

    audit: Digest
    kind: Kind
    custodian: str
    deadline: Instant
    models: tuple[ModelVerdict, ...]
    response: Digest | None = None
    """Of the file; None if there was no response in time."""
    failed: tuple[str, ...] = ()
    """The packs for which the custodian did not answer rightly."""

    @property
    def passed(self) -> bool:
        """Whether every model passed."""
        return bool(self.models) and all(one.verdict == "passed" for one in self.models)


def is_sha256(text: str) -> bool:
    """Return whether *text* is 32 bytes in lower-case hexadecimal."""
    return _HEX.fullmatch(text) is not None


def plain_text(what: str, text: str) -> str:
    """Return *text* if it is 1 to 200 characters on one line, else raise BadInput."""
    if not _TEXT.fullmatch(text):
        raise BadInput(what=what, why="it must be 1 to 200 characters on one line")
    return text


def chance(samples: int, lost: float) -> float:
    """Return how likely so many *samples* hit at least one leaf, if a share *lost* is gone."""
    return 1 - (1 - lost) ** samples
