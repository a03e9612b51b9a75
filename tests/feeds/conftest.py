"""A small house of models in several states, as its ledger tells it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.feeds import Publisher
from otium.ledger import Entry
from otium.lifecycle import ModelLife, lives
from otium.records import Actor, Instant, ModelId

GOLDEN = Path(__file__).parent / "golden"
HOUSE = Publisher(
    name="Example Lab", origin="example.org/otium", since=Instant("2025-01-01T00:00:00Z")
)
NOW = Instant("2026-07-01T00:00:00Z")


def entry(kind: str, time: str, subject: str, **body: object) -> Entry:
    return Entry(type=kind, time=Instant(time), actor=Actor("steward"), subject=subject, body=body)


def registered(model: str, title: str, **body: object) -> Entry:
    facts = {
        "title": title,
        "released": "2025-02-01T00:00:00Z",
        "scope": "public",
        "surfaces": ["api", "app", "partner:cloud"],
        "parent": None,
        "availability": "always",
    }
    return entry("model.registered", "2025-02-01T00:00:00Z", model, **{**facts, **body})


def story() -> list[Entry]:
    """A floor and dates that move, a deprecation that is called off, a withdrawal, an oddity."""
    in_days = {"api": "2026-08-01T00:00:00Z", "app": "2026-07-15T00:00:00Z"}
    soon = {"api": "2026-09-01T00:00:00Z"}
    return [
        entry("archive.created", "2025-01-01T00:00:00Z", "lab"),
        registered("alder-1", "Alder 1", not_before={"api": "2026-02-01T00:00:00Z"}),
        registered("birch-1", "Birch, 1; <the> \\ & “first”", silent_updates=True),
        registered("cedar-1", "Cedar 1", surfaces=["api"], parent="alder-1"),
        entry("model.deposited", "2025-02-02T00:00:00Z", "alder-1", weights="sha256:" + "a" * 64),
        entry("model.floor", "2025-06-01T00:00:00Z", "alder-1",
              not_before={"api": "2026-03-01T00:00:00Z"}, reason="More time for its users."),
        entry("model.deprecated", "2026-05-01T00:00:00Z", "alder-1",
              retire_at={**in_days, "partner:cloud": "2026-09-01T00:00:00Z"},
              replacement="birch-1", alternatives=["cedar-1"], reason="Birch serves as well.",
              existing_users={"access": "recent", "days": 90}),
        entry("model.rescheduled", "2026-05-20T00:00:00Z", "alder-1", retire_at=soon,
              reason="Users asked for a month."),
        entry("alias.pointed", "2026-05-21T00:00:00Z", "birch-1", alias="latest"),
        entry("model.deprecated", "2026-05-22T00:00:00Z", "cedar-1", retire_at=soon,
              replacement=None, reason="Nobody uses it."),
        entry("deprecation.cancelled", "2026-05-25T00:00:00Z", "cedar-1", reason="Somebody does."),
        entry("model.retired", "2026-05-26T00:00:00Z", "cedar-1"),  # odd: it is not deprecated
        entry("model.withdrawn", "2026-06-10T00:00:00Z", "birch-1", reason="An order, at once."),
        entry("surface.ended", "2026-07-15T00:00:00Z", "alder-1", surface="app"),
    ]  # fmt: skip


@pytest.fixture
def entries() -> list[Entry]:
    return story()


@pytest.fixture
def known(entries: list[Entry]) -> dict[ModelId, ModelLife]:
    return lives(entries)


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with a golden file to the byte; OTIUM_GOLDEN=write writes it anew."""

    def compare(name: str, text: str) -> None:
        if os.environ.get("OTIUM_GOLDEN") == "write":
            (GOLDEN / name).write_bytes(text.encode())
        assert text.encode() == (GOLDEN / name).read_bytes()

    return compare
