"""A whole life, cut off at every single write and begun again from the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from otium.commitments import load_policy
from otium.ledger import verify
from otium.lifecycle import (
    Notice,
    Registry,
    deprecate,
    found,
    oddities,
    retire,
    set_availability,
    standing,
)
from otium.notes import Signer
from otium.records import Instant, ModelId, later
from otium.store import Buffer
from otium.testing import FixedClock, MemoryStore

START = Instant("2026-01-01T00:00:00Z")
NEVER = 10**9


class Killed(Exception):
    """The process is gone."""


class MortalStore(MemoryStore):
    """Dies at write number *fatal*, before or after it took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.fatal = NEVER
        self.after = False
        self.writes = 0

    def put(self, name: str, data: Buffer) -> None:
        self._at_risk(lambda: super(MortalStore, self).put(name, data))

    def replace(self, name: str, data: Buffer) -> None:
        self._at_risk(lambda: super(MortalStore, self).replace(name, data))

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        whole = [bytes(chunk) for chunk in chunks]
        names: list[str] = []
        self._at_risk(lambda: names.append(super(MortalStore, self).add(folder, whole, suffix)))
        return names[0]

    def _at_risk(self, write) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.writes += 1
        dead = self.writes == self.fatal
        try:
            if not dead or self.after:
                write()
        finally:
            if dead:
                raise Killed


def note() -> Notice:
    return Notice(
        model=ModelId("alder"), announced=START, retire_at={}, replacement=None, reason="", text=""
    )


def live(store: MortalStore, signer: Signer, weights: Path, clock: FixedClock) -> Registry:
    """Found a house and lead one model through its life."""
    house = found(store, signer, archive_id="house", clock=clock, policy=load_policy())
    for name in ("alder", "birch"):
        house.register(name, title=name, released=START, scope="public", surfaces=["api"])
    house.deposit("alder", weights)
    house.file("transition.published", "alder", "transition.json", Notice, note)
    end = later(START, days=70)
    deprecate(house, "alder", retire_at={"api": end}, replacement="birch", reason="Old.")
    house.file("fingerprint.recorded", "alder", "fingerprint.json", Notice, note)
    house.file("interview.recorded", "alder", "interviews/1.json", Notice, note)
    post = {"bookend": "post-deployment"}
    house.file("assessment.recorded", "alder", "post.json", Notice, note, post)
    set_availability(house, "alder", "on-demand")
    clock.move_to(max(clock.now(), end))
    retire(house, "alder")
    return house


def story(house: Registry) -> list[tuple[str, str, object]]:
    return [(one.type, one.subject, one.body.get("path")) for one in house.entries()]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_life_cut_off_at_any_write_and_begun_again_is_whole_and_nothing_is_doubled(
    signer: Signer, weights: Path, after: bool
) -> None:
    calm = MortalStore()
    whole = live(calm, signer, weights, FixedClock(START))
    records = whole.archive.records(ModelId("alder"))
    assert max(Counter(story(whole)).values()) == 1
    assert calm.writes > 60
    for fatal in range(1, calm.writes + 1):
        store, clock = MortalStore(), FixedClock(START)
        store.fatal, store.after = fatal, after
        with pytest.raises(Killed):
            live(store, signer, weights, clock)
        again = live(store, signer, weights, clock)
        assert story(again) == story(whole), fatal
        assert again.archive.records(ModelId("alder")) == records, fatal
        assert again.check().ok, fatal
        assert verify(store, signer.vkeys).size == len(again.entries()), fatal
        assert oddities(again.entries()) == [], fatal


def test_a_life_resumed_a_day_later_loses_nothing_and_breaks_no_promise(
    signer: Signer, weights: Path
) -> None:
    calm = MortalStore()
    whole = live(calm, signer, weights, FixedClock(START))
    kept = {it.commitment for it in standing(whole) if it.state == "kept"}
    for fatal in range(1, calm.writes + 1):
        store, clock = MortalStore(), FixedClock(START)
        store.fatal, store.after = fatal, True
        with pytest.raises(Killed):
            live(store, signer, weights, clock)
        clock.move(days=1)
        again = live(store, signer, weights, clock)
        counts = Counter((kind, subject) for kind, subject, _ in story(again))
        assert counts == Counter((kind, subject) for kind, subject, _ in story(whole)), fatal
        assert {it.commitment for it in standing(again) if it.state == "kept"} == kept, fatal
