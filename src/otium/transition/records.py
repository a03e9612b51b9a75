"""What users of a retiring model are told."""

from __future__ import annotations

from otium.engine import Identity
from otium.records import Digest, Instant, ModelId, Part, Record


class Comparison(Part):
    """Both models' answers to one prompt."""

    prompt: str
    task: str
    """What kind of work the prompt stands for."""
    retiring: str
    successor: str
    overlap: float
    """Share of word 3-grams in common, 0 to 1 (Jaccard)."""
    retiring_cut: bool = False
    """True if we cut the retiring model's answer off at the limit of tokens."""
    successor_cut: bool = False


class Prompt(Part):
    """One everyday request."""

    task: str
    text: str


class Prompts(Part):
    """The instrument: what both models are asked. Data, with a version and a canary."""

    id: str
    version: str
    canary: str
    max_tokens: int
    prompts: tuple[Prompt, ...]


class Character(Part):
    """How a model writes, measured on the comparison's answers."""

    words: float
    """Mean words in an answer."""
    sentences: float
    lists: float
    """Share of answers with a list."""
    first_person: float
    """Share of answers in the first person."""
    repeats: float
    """Share of repeated 5-grams within answers."""


class TransitionGuide(Record, tag="otium.transition/1"):
    """Guidance for moving from a retiring model to its successor."""

    model: ModelId
    successor: ModelId
    retiring: Identity
    replacing: Identity
    written: Instant
    instrument: Digest
    """Digest of the prompts."""
    comparisons: tuple[Comparison, ...]
    character: dict[str, Character]
    """For ``retiring`` and ``successor``."""
    advice: tuple[str, ...]
    markdown: str
