"""Entries about one model, as a log has them."""

from __future__ import annotations

from otium.authority import actor_for
from otium.ledger import Entry
from otium.records import Instant

ABOUT = {
    "title": "Alder\n1",
    "released": "2025-01-01T00:00:00Z",
    "scope": "public",
    "surfaces": ["api", "app"],
}
DATES = {"api": "2026-07-01T00:00:00Z", "app": "2026-08-01T00:00:00Z"}


def entry(type_: str, day: str, /, **body: object) -> Entry:
    return Entry(
        type=type_,
        time=Instant(f"2026-{day}T00:00:00Z"),
        actor=actor_for(type_),
        subject="house" if type_ == "archive.created" else "alder-1",
        body=body,
    )


def log() -> list[Entry]:
    """Return a log in which a model is deprecated at place 3."""
    return [
        entry("archive.created", "01-01"),
        entry("model.registered", "01-02", **ABOUT),
        entry("model.retired", "01-03"),  # it could not happen
        entry("model.deprecated", "04-01", retire_at=DATES, replacement=None, reason="It is old."),
    ]
