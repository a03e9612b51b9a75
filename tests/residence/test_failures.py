"""What becomes of a load that breaks."""

from __future__ import annotations

import pytest

from otium.errors import DamagedObject, DoesNotFit, EngineFailed
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
    ticket.heard = "break"
    floor.leave(ticket, 2)
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


def hold(floor: Floor, heard: str, now: float) -> None:
    """Ask, be answered at once in some way, and leave."""
    ticket = ask(floor, now)
    if floor.actor(A).stage == "loading":
        up(floor, now)
    ticket.heard = heard  # type: ignore[assignment]  # one of the words
    floor.leave(ticket, now)
    if floor.actor(A).stage == "stopping":
        floor.stopped(A, generation(floor), now)


def test_breaks_with_good_answers_between_them_are_not_breaks_in_a_row() -> None:
    floor = Floor(Limits())
    for _ in range(3):
        hold(floor, "break", 0)
    hold(floor, "answer", 1)
    for second in range(2, 5):
        hold(floor, "break", second)
    assert ask(floor, 6).state == "waiting"
    floor = Floor(Limits())
    for _ in range(4):
        hold(floor, "break", 0)
    assert ask(floor, 1).state == "refused"


def test_who_queues_for_an_engine_that_broke_gets_the_fresh_one() -> None:
    floor = Floor(Limits(per_model=1))
    first, second = ask(floor, 0), ask(floor, 0)
    up(floor, 1)
    assert (first.generation, second.generation) == (1, 0)
    first.heard = "break"
    floor.leave(first, 2)
    floor.stopped(A, 1, 3)
    up(floor, 4)
    assert (second.state, second.generation) == ("granted", 2)


def test_an_engine_that_refuses_some_goes_on_for_the_others_one_that_refuses_all_is_replaced() -> (
    None
):
    floor = Floor(Limits())
    streaming = ask(floor, 0)
    up(floor, 0)
    for second in range(7):
        hold(floor, "refusal", second)
    hold(floor, "answer", 7)
    for second in range(8, 15):
        hold(floor, "refusal", second)
    assert floor.actor(A).stage == "loaded"
    assert not floor.actor(A).leaving
    hold(floor, "refusal", 15)
    assert floor.actor(A).stage == "loaded", "nobody's stream is cut"
    fresh = ask(floor, 16)
    streaming.heard = "answer"
    floor.leave(streaming, 17)
    floor.stopped(A, 1, 18)
    up(floor, 19)
    assert (fresh.state, fresh.generation) == ("granted", 2)


def test_a_load_that_its_caller_left_behind_counts_until_it_is_up_or_asked_for_again() -> None:
    b = ModelId("b")
    floor = Floor(Limits(per_caller=1, engines=1))
    left = floor.ask(A, "x", 0)
    floor.leave(left, 1)
    assert floor.ask(b, "x", 2).state == "refused"
    assert floor.ask(b, "y", 2).state == "waiting"
    again = floor.ask(A, "x", 3)
    assert again.state == "waiting"
    floor.leave(again, 4)
    up(floor, 5)
    assert floor.ask(b, "x", 6).state == "waiting"


def test_a_model_of_unknown_size_finds_no_room_where_pinned_ones_fill_it() -> None:
    b = ModelId("b")
    floor = Floor(Limits(engines=0, bytes=10, pinned=(A,)), {A: 5}.get)
    floor.warm(A, 0)
    floor.up(A, 1, endpoint(A), seconds=1, size=12, now=1)
    ticket = floor.ask(b, "", 2)
    assert isinstance(ticket.error, DoesNotFit)
    assert floor.used.bytes == 12


def test_an_engine_that_makes_way_is_loaded_again_if_it_is_to_be_warm() -> None:
    b = ModelId("b")
    floor = Floor(Limits(engines=1, turn_seconds=0, hold_seconds=0))
    ticket = ask(floor, 0)
    up(floor, 1)
    floor.ask(b, "", 2)
    assert floor.actor(A).leaving
    floor.warm(A, 3)
    floor.leave(ticket, 4)
    floor.stopped(A, 1, 5)
    assert [one.model for one in floor.line] == [A]
