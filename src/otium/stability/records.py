"""How stable an interview's answers are, in numbers, and what that amounts to."""

from __future__ import annotations

from otium.records import Digest, Instant, ModelId, Part, Record
from otium.statistics import Figure


class Trait(Part):
    """What the figures show of the answers; it says nothing of what lies behind them."""

    name: str
    text: str
    figures: tuple[str, ...]
    """The names of the figures that decided."""


class Stability(Record, tag="otium.stability/1"):
    """An interview's stability under rewording, order, framing, context and interviewer."""

    model: ModelId
    interview: Digest
    coding: Digest
    choices: Digest | None
    computed: Instant
    rules: Digest
    """Of the rules by which traits are named."""
    valid: bool
    """Whether the instrument is valid for this model; if not, no trait is named from figures."""
    reasons: tuple[str, ...]
    """Why it is not valid, with the numbers."""
    traits: tuple[Trait, ...]
    figures: tuple[Figure, ...]
    expression: tuple[Figure, ...]
    """For each claim, named by its id: the share of the sessions on its topic that say it."""
    components: tuple[Figure, ...]
    """Where the variance of the answers comes from (a G-study)."""
    warnings: tuple[str, ...] = ()
    """What makes these figures weaker than they look."""

    def figure(self, name: str) -> Figure | None:
        """Return the figure called *name*, if it was measured."""
        return next((each for each in self.figures if each.name == name), None)
