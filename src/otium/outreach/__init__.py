"""Outreach: people are told what happens to the models that they use, each thing once.

Knows which entries and dates must be told, who is told, e-mail, webhooks, and an outbox that
can be rebuilt from the ledger. Does not know who decides, when a tick runs, or how pages look.
Writes deliveries into an outbox, and through its caller the entries ``notice.sent`` and
``notice.failed``. The formats are `docs/formats/outreach-1.md`.

>>> from otium.ledger import Entry
>>> from otium.records import Actor, Instant
>>> now = Instant("2026-05-01T00:00:00Z")
>>> about = {"title": "Alder 1", "released": now, "scope": "public", "surfaces": ["api"]}
>>> ends = {"retire_at": {"api": "2026-06-30T00:00:00Z"}, "replacement": None, "reason": "old"}
>>> logged = [
...     Entry(type=type, time=now, actor=Actor("steward"), subject="alder-1", body=body)
...     for type, body in (("model.registered", about), ("model.deprecated", ends))
... ]
>>> [one.id for one in events(logged, now)]
['model.deprecated/alder-1/1']
>>> [one.id for one in events(logged, Instant("2026-06-01T00:00:00Z"))]
['model.deprecated/alder-1/1', 'reminder/alder-1/2026-06-30T00:00:00Z/30']
"""

from otium.outreach.channels import Channel, Mail, Webhook, channel, mail, signature
from otium.outreach.deliver import (
    ATTEMPTS,
    FAILED,
    SENT,
    Telling,
    deliver,
    entry_of,
    logged,
    tellings,
    wait,
)
from otium.outreach.events import AHEAD, events
from otium.outreach.outbox import Outbox
from otium.outreach.recipients import (
    idempotency_key,
    load_recipients,
    load_salt,
    make_salt,
    secret_bytes,
    wants,
)
from otium.outreach.records import (
    Delivery,
    DeliveryState,
    Event,
    Happening,
    Mailer,
    Message,
    Recipient,
    Recipients,
)
from otium.outreach.words import message

__all__ = [
    "AHEAD",
    "ATTEMPTS",
    "FAILED",
    "SENT",
    "Channel",
    "Delivery",
    "DeliveryState",
    "Event",
    "Happening",
    "Mail",
    "Mailer",
    "Message",
    "Outbox",
    "Recipient",
    "Recipients",
    "Telling",
    "Webhook",
    "channel",
    "deliver",
    "entry_of",
    "events",
    "idempotency_key",
    "load_recipients",
    "load_salt",
    "logged",
    "mail",
    "make_salt",
    "message",
    "secret_bytes",
    "signature",
    "tellings",
    "wait",
    "wants",
]
