"""Telling everyone of everything, each once: what the outbox, the ledger and the ways share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from otium.errors import DeliveryFailed
from otium.ledger import Entry
from otium.outreach.channels import Channel
from otium.outreach.outbox import Outbox
from otium.outreach.recipients import idempotency_key, wants
from otium.outreach.records import Delivery, DeliveryState, Event, Message, Recipient
from otium.records import Clock, Instant, later

SENT, FAILED = "notice.sent", "notice.failed"
ATTEMPTS = 12
"""After so many failed attempts a delivery is given up, and the ledger says so."""
_FIRST_WAIT, _LONGEST_WAIT = 300.0, 43_200.0
"""Seconds: after the first failed attempt, doubled with each, and at most."""
_LONGEST_ASKED = 7 * 86_400.0
"""Seconds of silence at most that a receiver may ask for."""


class Telling(NamedTuple):
    """One event for one recipient."""

    key: str
    event: Event
    recipient: Recipient


def tellings(
    happened: Iterable[Event], recipients: Sequence[Recipient], salt: bytes
) -> dict[str, Telling]:
    """Return who is to be told of what, by idempotency key, in the order of the events."""
    found = (
        Telling(idempotency_key(salt, event, one), event, one)
        for event in happened
        for one in recipients
        if wants(one, event)
    )
    return {one.key: one for one in found}


def logged(entries: Sequence[Entry]) -> dict[str, DeliveryState]:
    """Return how each delivery ended by the ledger: the newest entry with its key decides."""
    ends: dict[str, DeliveryState] = {SENT: "sent", FAILED: "failed"}
    return {str(one.body.get("key")): ends[one.type] for one in entries if one.type in ends}


def deliver(
    outbox: Outbox, delivery: Delivery, way: Channel, message: Message, clock: Clock
) -> Delivery:
    """Try one delivery: note it, send it, note what came of it; return how it stands then.

    Whoever dies between the sending and the note leaves it in ``sending``, and the next one
    sends it again under the same key.
    """
    outbox.note(replace(delivery, state="sending"))
    try:
        way.send(message)
    except DeliveryFailed as error:
        done = _put_off(delivery, error, clock.now())
    else:
        done = replace(delivery, state="sent", why="")
    outbox.note(done)
    return done


def entry_of(delivery: Delivery) -> tuple[str, dict[str, object]]:
    """Return the type and the body of the entry that says how a delivery ended."""
    body: dict[str, object] = {
        "channel": delivery.channel,
        "event": delivery.event,
        "key": delivery.key,
        "recipients": 1,
    }
    if delivery.state == "sent":
        return SENT, body
    return FAILED, {**body, "attempts": delivery.attempts}


def _put_off(delivery: Delivery, error: DeliveryFailed, now: Instant) -> Delivery:
    attempts, asked = delivery.attempts + 1, error.facts.get("wait")
    pause = wait(attempts, asked if isinstance(asked, float) else 0.0)
    return replace(
        delivery,
        state="failed" if attempts >= ATTEMPTS else "queued",
        attempts=attempts,
        next_try=later(now, seconds=pause),
        why=str(error.facts["why"]),
    )


def wait(attempts: int, asked: float = 0.0) -> float:
    """Return the seconds before the next attempt: doubled with each, or what was asked for."""
    own: float = min(_FIRST_WAIT * 2.0 ** (attempts - 1), _LONGEST_WAIT)
    return max(own, min(asked, _LONGEST_ASKED))
