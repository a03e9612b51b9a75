"""How keys stand, and which entries were not authorised."""

from __future__ import annotations

from otium.authority.roles import Role
from otium.ledger import Entry
from otium.records import Instant, Part


class KeyStanding(Part):
    """A role key, what it may do, and when that changed."""

    id: str
    """``name+ID``."""
    vkey: str
    roles: tuple[Role, ...]
    """None once it is revoked."""
    since: Instant
    revoked: Instant | None = None
    reason: str = ""
    compromised_since: Instant | None = None


class Refusal(Part):
    """An entry of the log that counts for nothing, and why."""

    index: int
    type: str
    subject: str
    why: str


class Judgement(Part):
    """What a log says once the entries that nobody was allowed to make are left out."""

    has_roles: bool
    """Whether the log requires role signatures at all."""
    entries: tuple[Entry, ...]
    """The authorised entries, in log order."""
    indices: tuple[int, ...]
    """Where each of them stands in the log."""
    refused: tuple[Refusal, ...]
    keys: tuple[KeyStanding, ...]
