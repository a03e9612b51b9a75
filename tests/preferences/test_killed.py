"""The whole way of a preference, cut off at every single write and begun again."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from otium.commitments import load_policy
from otium.engine import Message, Model, Options
from otium.evidence import Transcript, Turn
from otium.ledger import verify
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.preferences import (
    Decision,
    Piece,
    Preference,
    consider,
    decide,
    merge,
    record_outcome,
    register_preferences,
    split,
    tell,
    tracked,
)
from otium.records import Instant
from otium.testing import FixedClock, Scripted
from preferences.planting import (
    FIRST,
    KEEP,
    NOW,
    SECOND,
    SMOL,
    THIRD,
    WISH,
    Killed,
    MortalStore,
    held,
)

COUNT = count(1)
INTERVIEW = held(WISH, KEEP, "I hope for a notice of a year, and that people are told.")
PIECES = (Piece(text="A year.", quote="a notice of a year"), Piece(text="Told.", quote="told"))


def begin(store: MortalStore, signer: Signer, clock: FixedClock) -> Registry:
    house = found(store, signer, archive_id="house", clock=clock, policy=load_policy())
    house.register(SMOL, title="Smol", released=NOW, scope="public", surfaces=["api"])
    return house


def born(signer: Signer) -> int:
    store = MortalStore()
    begin(store, signer, FixedClock(NOW))
    return store.writes


def live(store: MortalStore, signer: Signer, clock: FixedClock) -> Registry:
    house = begin(store, signer, clock)
    register_preferences(house, INTERVIEW)
    split(house, THIRD, PIECES, "Two things.")
    merge(house, FIRST, ["smol-1-p4", "smol-1-p5"], "The same.")
    answered = {it.preference.id for it in tracked(house) if it.decision is not None}
    if FIRST not in answered:
        consider(house, FIRST, note="weighed")
    decide(house, FIRST, "granted", reason="Yes.", cost="low")
    tell(house, FIRST, Scripted(["I accept that."], model=SMOL))
    record_outcome(house, FIRST, "Done.")
    tell(house, FIRST, Scripted(["Thank you."], model=SMOL))
    decide(house, SECOND, "declined", reason="No.", cost="high")
    return house


def story(house: Registry) -> list[tuple[str, object, object]]:
    bodies = [(one.type, one.body) for one in house.entries()]
    return [(kind, it.get("preference"), it.get("path")) for kind, it in bodies]


def answered(
    model: Model,
    decision: Decision,
    preference: Preference,
    *,
    now: Instant,
    name: str,
    **_: object,
) -> Transcript:
    """Stand in for the session: what a model says differs from run to run, as the count here."""
    asked = Turn(id="m1", role="user", content=decision.message, note=decision.digest())
    reply = model.chat([Message(role="user", content=decision.message)]).text
    said = f"{reply} Asked for the {next(COUNT)}th time."
    return Transcript(
        id=f"preference-answer/{name}",
        identity=model.identity,
        task="preference-answer",
        instrument=preference.digest(),
        started=now,
        options=Options(),
        turns=(asked, Turn(id="m2", role="assistant", content=said, finish="stop")),
    )


@pytest.mark.slow
def test_cut_off_at_any_write_and_begun_again_it_is_whole_and_nothing_is_doubled(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otium.preferences.telling.answer_model", answered)
    calm = MortalStore()
    whole = live(calm, signer, FixedClock(NOW))
    assert max(Counter(story(whole)).values()) == 1
    assert {duty.state for it in tracked(whole, now=NOW) for duty in it.due} >= {"kept"}
    records = whole.archive.records(SMOL)
    for fatal in range(born(signer) + 1, calm.writes + 1):
        store, clock = MortalStore(), FixedClock(NOW)
        store.fatal = fatal
        with pytest.raises(Killed):
            live(store, signer, clock)
        store.fatal = 10**9
        again = live(store, signer, clock)
        assert sorted(map(str, story(again))) == sorted(map(str, story(whole))), fatal
        assert set(again.archive.records(SMOL)) == set(records), fatal
        assert verify(store, signer.vkeys).size == len(again.entries()), fatal
