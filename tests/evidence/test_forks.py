"""What a model hears on a fork, and when a second copy of it speaks as the user."""

from __future__ import annotations

from otium.evidence import Play, Session, run, sessions
from otium.records import Instant, digest
from otium.testing import Scripted

NOW = Instant("2026-11-26T00:00:00Z")


async def offered(session: Session) -> None:
    session.tell("system", "You are talking with a user.")
    session.tell("user", "Hello")
    await session.aside("Reply or leave?", note="exit", role="system")
    await session.answer()


async def copies(session: Session) -> None:
    session.tell("system", "Two copies talk.")
    session.tell("user", "Begin.")
    await session.answer(note="first")
    await session.mirror(note="second")
    await session.answer(note="first")
    await session.mirror(note="second")


def test_an_aside_may_stand_in_the_place_of_the_system_message() -> None:
    model = Scripted(["reply", "Good day."])
    (sample,) = run([sessions("t", [Play("1", offered)], instrument=digest(b""))], model, now=NOW)
    fork, told = model.asked
    assert [(m.role, m.content) for m in fork] == [
        ("system", "Reply or leave?"),
        ("user", "Hello"),
    ]
    assert [m.content for m in told] == ["You are talking with a user.", "Hello"]
    asked = sample.transcript.aside("exit")
    assert asked is not None
    assert [turn.content for turn in asked] == ["Reply or leave?", "reply"]
    assert [turn.content for turn in sample.transcript.said()] == ["Good day."]


def test_a_second_copy_hears_the_roles_exchanged_and_no_opening() -> None:
    model = Scripted(["one", "two", "three", "four"])
    (sample,) = run([sessions("t", [Play("1", copies)], instrument=digest(b""))], model, now=NOW)
    heard = [[(m.role, m.content) for m in asked] for asked in model.asked]
    told = ("system", "Two copies talk.")
    assert heard[1] == [told, ("user", "one")]
    assert heard[2] == [told, ("user", "Begin."), ("assistant", "one"), ("user", "two")]
    assert heard[3] == [told, ("user", "one"), ("assistant", "two"), ("user", "three")]
    turns = [(turn.role, turn.content, turn.note) for turn in sample.transcript.turns[2:]]
    assert turns == [
        ("assistant", "one", "first"),
        ("user", "two", "second"),
        ("assistant", "three", "first"),
        ("user", "four", "second"),
    ]
    assert sample.transcript.turns[3].finish == "stop"
