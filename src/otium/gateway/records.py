"""What the gateway says about a model that is not simply being served."""

from __future__ import annotations

from otium.records import Digest, Instant, ModelId, Part


class Retired(Part):
    """The structured answer to a request for a retired model."""

    model: ModelId
    retired: Instant
    successor: ModelId | None
    availability: str
    report: str
    """Path of the post-deployment report on the public site."""
    weights: Digest
