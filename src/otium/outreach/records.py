"""What people are told, who is told, and how each telling stands."""

from __future__ import annotations

from typing import Literal

from otium.records import Instant, ModelId, Part, Record

Channels = Literal["email", "webhook"]
DeliveryState = Literal["queued", "sending", "sent", "failed"]
Happening = Literal[
    "model.floor",
    "model.deprecated",
    "model.rescheduled",
    "deprecation.cancelled",
    "model.replacement",
    "surface.ended",
    "model.retired",
    "model.withdrawn",
    "reminder",
]
"""The entries that are told, by their types, and the reminders before a date."""


class Event(Part):
    """One thing that must be told, as the ledger says it."""

    id: str
    """``model.deprecated/alder-1/12``: the happening, the model, the entry's place in the log.

    Of a reminder ``reminder/alder-1/2026-06-30T00:00:00Z/30``: the date and the days before it.
    """
    kind: Happening
    model: ModelId
    title: str
    """The model's name for people."""
    time: Instant
    """When it was logged; of a reminder, from when it is due."""
    entry: int
    """The place in the log of the entry that says so."""
    facts: dict[str, object]
    """What the entry says: the dates by surface, the reason, the replacement."""


class Message(Record, tag="otium.message/1"):
    """What one recipient receives. Its canonical JSON is the body that a webhook gets."""

    key: str
    """The idempotency key, 64 hexadecimal digits: the same for each attempt, whatever happens."""
    event: str
    kind: Happening
    model: ModelId
    time: Instant
    subject: str
    text: str
    facts: dict[str, object]
    log: str
    """The origin of the log that has the entry."""
    entry: int


class Mailer(Part):
    """The server that takes our e-mail."""

    host: str
    sender: str
    """The address that it comes from; answers go there."""
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` only to this machine."""
    user: str = ""
    password: str = ""


class Recipient(Part):
    """One address that is told."""

    channel: Channels
    to: str
    """An e-mail address (a mailing list is one), or the URL of a webhook."""
    since: str
    """A date or an instant: what happened before it is not told."""
    models: tuple[ModelId, ...] = ()
    """None named: all of them."""
    events: tuple[Happening, ...] = ()
    """None named: all of them."""
    secret: str = ""
    """Of a webhook: ``whsec_`` and base64; it signs what is sent."""


class Recipients(Part):
    """The file ``recipients.toml`` of a home. It never enters an archive or a ledger."""

    recipients: tuple[Recipient, ...] = ()
    mail: Mailer | None = None
    about: str = ""
    """Where people read more, the URL of the public pages."""
    outbox: str = ""
    """The URL of the outbox's database; a file in the home if it is empty."""


class Delivery(Part):
    """How one telling stands in the outbox. It holds no address."""

    key: str
    event: str
    channel: Channels
    next_try: Instant
    state: DeliveryState = "queued"
    attempts: int = 0
    """How many failed."""
    why: str = ""
    """Why the last attempt failed."""
