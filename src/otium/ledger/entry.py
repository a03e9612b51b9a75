"""One line of the ledger."""

from __future__ import annotations

from typing import Literal

from otium.records import Actor, Digest, Instant, Part


class Entry(Part):
    """A short claim, kept for ever. Its canonical JSON is the leaf; at most 65,535 bytes.

    No personal data: *actor* is a role. *refs* are digests of the records it rests on.
    """

    type: str
    """``noun.verb-in-the-past``, as in docs/formats/ledger-1.md."""
    time: Instant
    actor: Actor
    subject: str
    """A model id, or the archive's id."""
    body: dict[str, object] = {}
    refs: tuple[Digest, ...] = ()
    v: Literal[1] = 1
