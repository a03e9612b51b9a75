"""What becomes of a load that breaks."""

from __future__ import annotations

import pytest

from otium.errors import DamagedObject, EngineFailed
from otium.records import ModelId
from otium.residence import Floor, Limits, Notice, Start, Stop, Ticket
from residence.days import endpoint

A = ModelId("a")
BROKE = EngineFailed(model=A, why="it was killed")


def ask(floor: Floor, now: float) -> Ticket:
    return floor.ask(A, "", now)


def orders(floor: Floor) -> list[object]:
    found, floor.orders = floor.orders, []
    return list(found)


def generation(floor: Floor) -> int:
    return floor.actor(A).generation


def up(floor: Floor, now: float) -> None:
    floor.up(A, generation(floor), endpoint(A), seconds=1, size=5, now=now)


def loaded_once() -> Floor:
    """Return a floor on which the model has been up, and is gone again."""
    floor = Floor(Limits(bytes=9, failure_seconds=30), {A: 5}.get)
    ticket = ask(floor, 0)
    up(floor, 1)
    floor.leave(ticket, 2)
    floor.broke(A, 1, 2)
    floor.stopped(A, 1, 3)
    assert [type(one) for one in orders(floor)][-2:] == [Stop, Notice]
    return floor


def test_a_load_that_breaks_is_tried_again_at_once_before_those_who_wait_are_told() -> None:
    floor = loaded_once()
    ticket = ask(floor, 10)
    assert orders(floor) == [Start(A, 2)]
    floor.down(A, 2, BROKE, 11)
    again = orders(floor)
    assert [one.kind for one in again if isinstance(one, Notice)] == ["tried again"]
    assert again[-1] == Start(A, 3)
    assert ticket in floor.actor(A).queue
    assert (floor.used.bytes, floor.used.seats) == (5, 1)
    up(floor, 12)
    assert ticket.state == "granted"


def test_a_second_break_in_a_row_is_told_and_remembered() -> None:
    floor = loaded_once()
    ticket = ask(floor, 10)
    floor.down(A, 2, BROKE, 11)
    floor.down(A, 3, BROKE, 12)
    assert (ticket.state, ticket.error) == ("refused", BROKE)
    assert floor.used.seats == 0
    assert ask(floor, 13).state == "refused"
    later = ask(floor, 43)
    floor.down(A, 4, BROKE, 44)
    assert later.state == "waiting", "the next load has its second try too"


@pytest.mark.parametrize("case", ["damaged", "never up", "closing"])
def test_what_would_break_again_is_told_at_once(case: str) -> None:
    floor = Floor(Limits()) if case == "never up" else loaded_once()
    ticket = ask(floor, 10)
    orders(floor)
    if case == "closing":
        floor.close(10)
    damaged = DamagedObject(name="x", expected="a", found="b")
    floor.down(A, generation(floor), damaged if case == "damaged" else BROKE, 11)
    assert ticket.state == "refused"
    assert not [one for one in orders(floor) if isinstance(one, Start)]
    assert not floor.present
