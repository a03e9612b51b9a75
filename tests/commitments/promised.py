"""Promises and logs to try them on."""

from __future__ import annotations

from collections.abc import Mapping

from otium.commitments import Commitment, Duty, Policy, duties
from otium.ledger import Entry
from otium.records import Actor, Instant, later

START = Instant("2026-01-01T00:00:00Z")


def day(number: float, seconds: float = 0) -> Instant:
    return later(START, days=number, seconds=seconds)


def entry(
    kind: str, at: Instant, subject: str = "alder", body: Mapping[str, object] | None = None
) -> Entry:
    return Entry(type=kind, time=at, actor=Actor("steward"), subject=subject, body=dict(body or {}))


def policy(*commitments: Commitment, version: str = "1", **significant: float) -> Policy:
    return Policy.convert(
        {
            "schema": "otium.commitments/2",
            "id": "p",
            "version": version,
            "title": "P",
            "term": "always",
            "significant": significant,
            "commitments": [one.plain() for one in commitments],
        }
    )


def adopted(what: Policy, at: Instant = START, reason: str = "") -> Entry:
    return entry("commitments.adopted", at, "house", {"policy": what.plain(), "reason": reason})


def registered(
    subject: str = "alder", scope: str = "public", at: Instant = START, **body: object
) -> Entry:
    return entry("model.registered", at, subject, {"scope": scope, **body})


def deprecated(at: Instant, subject: str = "alder", **dates: str) -> Entry:
    return entry("model.deprecated", at, subject, {"retire_at": dates})


def waived(at: Instant, commitment: str, subject: str = "alder", **body: object) -> Entry:
    return entry("duty.waived", at, subject, {"commitment": commitment, **body})


def founded() -> Entry:
    return entry("archive.created", START, "house")


def changed(one: Commitment, **fields: object) -> Commitment:
    return Commitment.convert({**one.plain(), **fields})


WITHIN = Commitment(
    id="w", text="", kind="within", trigger="model.registered", fulfil="model.deposited", days=14
)
BEFORE = Commitment(
    id="b",
    text="",
    kind="before",
    trigger="model.deprecated",
    fulfil="interview.recorded",
    before="model.retired",
    days=0,
)
EVERY = Commitment(
    id="e", text="", kind="every", trigger="model.deposited", fulfil="model.checked", days=90
)
NOTICE = Commitment(id="n", text="", kind="notice", trigger="model.deprecated", days=60)
FLOOR = Commitment(id="f", text="", kind="floor", trigger="model.floor", days=0)


def found(commitment: Commitment, now: Instant, *entries: Entry) -> list[Duty]:
    """Return the duties of one promise about alder, a public model with an api and an app."""
    held = policy(commitment)
    alder = registered(surfaces=["api", "app"])
    return duties(held, [founded(), alder, adopted(held), *entries], now)


def one(commitment: Commitment, now: Instant, *entries: Entry) -> Duty:
    (duty,) = found(commitment, now, *entries)
    return duty
