"""What holds on the floor whatever happens, on thousands of simulated days."""

from __future__ import annotations

from random import Random

import pytest

from otium.errors import DoesNotFit, EngineFailed, QuotaReached, Stopping
from otium.records import ModelId
from otium.residence import Limits
from residence.days import Day, Plan

A, B, C, D = (ModelId(name) for name in "abcd")


def models(count: int) -> list[ModelId]:
    return [ModelId(f"m{number}") for number in range(count)]


def some_day(seed: int) -> Day:
    """Return a day of any kind: tight or wide, quiet or broken, with pins and with quotas."""
    random = Random(seed)
    names = models(random.randint(2, 9))
    sizes = {name: random.randint(1, 9) for name in names}
    limits = Limits(
        engines=random.choice([0, 1, 2, 3]),
        bytes=random.choice([0, 9, 12, 20]),
        loads=random.choice([0, 1, 3]),
        idle_seconds=random.choice([0, 3, 300]),
        turn_seconds=random.choice([0, 5, 15]),
        hold_seconds=random.choice([0, 4, 30]),
        failure_seconds=random.choice([0, 5, 30]),
        per_caller=random.choice([0, 0, 3]),
        per_model=random.choice([0, 1, 2]),
        queue=random.choice([0, 4]),
        pinned=tuple(random.sample(names, random.choice([0, 0, 1, 2]))),
    )
    plan = Plan(
        load=random.choice([0, 1, 8]),
        answer=random.choice([0, 2, 20]),
        stop=random.choice([0, 1]),
        fails=random.choice([0, 0, 0.2]),
        breaks=random.choice([0, 0, 0.2]),
        leaves=random.choice([0, 0.3]),
    )
    day = Day(limits, sizes, plan, random)
    for _ in range(random.randint(5, 60)):
        name, when = random.choice(names), random.uniform(0, random.choice([1, 60]))
        if random.random() < 0.1:
            day.warm(when, name)
        else:
            day.ask(when, name, random.choice(["", "x", "y"]))
    return day


@pytest.mark.parametrize("part", range(8))
def test_whatever_happens_nothing_is_up_twice_nor_over_the_budget_and_no_waiter_is_lost(
    part: int,
) -> None:
    for seed in range(part * 400, (part + 1) * 400):
        day = some_day(seed)
        try:
            day.run()
            day.end()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("part", range(4))
def test_nobody_starves_a_load_begins_within_the_bound_that_is_stated(part: int) -> None:
    """``T + (k + 1) (L + H + A + S)`` for a load with k before it in line."""
    for seed in range(part * 50, (part + 1) * 50):
        random = Random(seed)
        names = models(random.randint(2, 6))
        sizes = {name: random.randint(1, 9) for name in names}
        limits = Limits(
            engines=random.choice([0, 1, 2]),
            bytes=random.choice([9, 14]),
            loads=random.choice([0, 1, 2]),
            idle_seconds=random.choice([0, 100]),
            turn_seconds=random.choice([0, 5, 20]),
            hold_seconds=random.choice([0, 5, 15]),
            per_model=random.choice([0, 2]),
        )
        plan = Plan(load=8, answer=10, stop=1, leaves=random.choice([0, 0.5]))
        day = Day(limits, sizes, plan, random)
        loved = names[0]  # never without a request
        for number in range(120):
            day.ask(number, loved)
        for _ in range(40):
            day.ask(random.uniform(0, 120), random.choice(names))
        day.run()
        day.end()
        step = plan.load + limits.hold_seconds + plan.answer + plan.stop
        for waited, before in day.waits:
            assert waited <= limits.turn_seconds + (before + 1) * step + 1e-6, (seed, before)


def test_a_request_at_the_end_of_a_hold_is_within_the_bound_and_shows_that_it_needs_both() -> None:
    limits = Limits(engines=1, turn_seconds=1, hold_seconds=30)
    day = Day(limits, {}, Plan(load=8, answer=10, stop=1, exact=True), Random(20))
    day.warm(0, A)
    day.ask(0.5, B)
    day.ask(37.9, A)
    day.run()
    assert max(day.waits)[0] == pytest.approx(48.4)
    assert 1 + 8 + max(10, 30) + 1 < 48.4 < 1 + 8 + 30 + 10 + 1


def test_requests_that_wait_are_answered_model_by_model() -> None:
    limits = Limits(engines=1, turn_seconds=60)
    day = Day(limits, {}, Plan(load=1, answer=3), Random(1))
    for number in range(30):
        day.ask(number / 100, (A, B, C)[number % 3])
    day.run()
    assert day.ended == 30
    assert day.starts == {A: 1, B: 1, C: 1}


def test_a_large_load_that_waits_does_not_stop_a_small_one_from_fitting() -> None:
    limits = Limits(engines=0, bytes=10, turn_seconds=30)
    day = Day(limits, {A: 6, B: 8, C: 3}, Plan(load=1, answer=20, stop=0, exact=True), Random(2))
    day.ask(0, A)
    day.run(until=2)
    day.ask(2, B)
    day.ask(3, C)
    day.run(until=6)
    assert day.starts == {A: 1, C: 1}
    day.run()
    assert day.starts[B] == 1


@pytest.mark.parametrize(("load", "answer"), [(1, 4), (8, 0.1)])
def test_from_its_turn_on_nobody_passes_a_large_load(load: float, answer: float) -> None:
    """Small ones keep coming and fill whatever becomes free; the large one has to get in."""
    limits = Limits(engines=0, bytes=10, turn_seconds=10, hold_seconds=0)
    small = models(40)
    sizes = {**dict.fromkeys(small, 3), A: 10}
    plan = Plan(load=load, answer=answer, stop=0, exact=True)
    day = Day(limits, sizes, plan, Random(3))
    day.ask(1, A)
    for number in range(300):
        day.ask(number / 2, small[number % 40])
    day.run(until=1 + 10 + load + answer + 0.1)
    assert day.starts[A] == 1


def test_an_engine_in_use_makes_way_only_when_another_has_waited_its_time() -> None:
    limits = Limits(engines=1, turn_seconds=15)
    day = Day(limits, {}, Plan(load=0, answer=3, stop=0, exact=True), Random(4))
    for number in range(100):
        day.ask(number / 2, A)
    day.ask(5, B)
    day.run(until=19.9)
    assert day.starts == {A: 1}
    day.run(until=24)
    assert day.starts[B] == 1
    day.run()
    assert day.ended == 101


def test_who_asks_an_engine_that_is_to_make_way_waits_for_its_next_load() -> None:
    limits = Limits(engines=1, turn_seconds=5)
    day = Day(limits, {}, Plan(load=0, answer=10, stop=0, exact=True), Random(18))
    day.ask(0, A)
    day.ask(1, B)
    day.ask(8, A)  # B has been due since 6
    day.run(until=10)
    assert day.starts == {A: 1, B: 1}
    day.run()
    assert day.starts == {A: 2, B: 1}


def test_a_load_whose_client_has_left_is_kept_for_its_next_try() -> None:
    limits = Limits(engines=1, hold_seconds=30, turn_seconds=1)
    day = Day(limits, {}, Plan(load=0, answer=1, stop=0), Random(5))
    day.warm(0, A)
    day.ask(2, B)
    day.run(until=29)
    assert day.starts == {A: 1}
    day.run(until=31)
    assert day.starts == {A: 1, B: 1}


def test_a_pinned_model_never_makes_way_and_who_cannot_fit_beside_it_is_told_at_once() -> None:
    limits = Limits(engines=0, bytes=10, pinned=(A,), turn_seconds=0)
    day = Day(limits, {A: 6, B: 5, C: 4}, Plan(load=0, answer=1), Random(6))
    for when, name in ((0, A), (500, C), (501, B), (1000, C)):
        day.ask(when, name)
    day.run()
    assert day.starts == {A: 1, C: 2}
    [refused] = [t for t in day.settled if t.state == "refused"]
    assert refused.model == B
    assert isinstance(refused.error, DoesNotFit)
    day.floor.pin(A, pinned=False, now=day.now)
    day.ask(2000, B)
    day.run()
    assert day.starts[B] == 1


def test_what_is_pinned_stays_even_if_nothing_is_worth_less() -> None:
    limits = Limits(engines=0, bytes=10, idle_seconds=5, pinned=(A,))
    day = Day(limits, {A: 4, B: 4, C: 4}, Plan(load=0, answer=0, stop=0), Random(16))
    day.ask(0, A)
    for when in range(1, 5):
        day.ask(when, B)
    day.ask(6, C)
    day.run(until=7)
    assert set(day.alive) == {A, C}
    day.run()
    assert set(day.alive) == {A}


def test_an_engine_that_breaks_while_it_makes_way_is_reported_all_the_same() -> None:
    plan = Plan(load=0, answer=30, stop=5, breaks=1.0, exact=True)
    day = Day(Limits(engines=1, turn_seconds=5), {}, plan, Random(17))
    day.ask(0, A)
    day.ask(1, B)
    day.run(until=32)
    kinds = [(notice.kind, notice.model) for notice in day.notices]
    assert kinds == [("loaded", A), ("made way", A), ("crashed", A)]


def test_what_is_dear_to_load_stays_and_what_is_cheap_and_large_makes_way() -> None:
    limits = Limits(engines=0, bytes=10, idle_seconds=0)
    day = Day(limits, {A: 4, B: 4, C: 3}, Plan(load=0, answer=0, stop=0), Random(7))
    for name, seconds in ((A, 60.0), (B, 2.0)):
        day.ask(0, name)
        day.run(until=1)
        day.floor.actors[name].history.load_seconds = seconds
    day.ask(10, C)
    day.run()
    assert set(day.alive) == {A, C}


def test_what_is_asked_often_outlives_what_was_asked_last() -> None:
    limits = Limits(engines=2, idle_seconds=0)
    day = Day(limits, {}, Plan(load=0, answer=0, stop=0), Random(8))
    for number in range(50):
        day.ask(number, A)
    day.ask(60, B)
    day.ask(70, C)
    day.run()
    assert set(day.alive) == {A, C}


def test_an_engine_that_grew_beyond_its_estimate_has_others_make_way() -> None:
    limits = Limits(engines=0, bytes=10, idle_seconds=0)
    day = Day(limits, {A: 5, B: 5}, Plan(load=0, answer=0, stop=0), Random(9), grown={B: 8})
    day.ask(0, A)
    day.ask(10, B)
    day.run()
    assert set(day.alive) == {B}
    day.ask(20, A)
    day.run()
    assert set(day.alive) == {A}


def test_an_engine_that_turns_out_too_large_answers_once_and_is_refused_from_then_on() -> None:
    day = Day(Limits(bytes=10), {A: 5}, Plan(load=0, answer=0), Random(10), grown={A: 11})
    day.ask(0, A)
    day.ask(10, A)
    day.run()
    assert [t.state for t in sorted(day.settled, key=lambda t: t.generation)] == ["refused", "left"]
    assert not day.alive


def test_a_model_of_unknown_size_is_loaded_alone_and_measured() -> None:
    limits = Limits(engines=0, bytes=10, idle_seconds=0)
    day = Day(limits, {A: 4}, Plan(load=1, answer=0, stop=0), Random(11), grown={B: 4})
    day.ask(0, A)
    day.run()
    day.ask(10, B)
    day.run()
    assert set(day.alive) == {B}
    assert day.floor.used.bytes == 4
    day.ask(20, A)
    day.run()
    assert set(day.alive) == {A, B}


def test_quotas_refuse_at_once_and_count_what_is_over_as_over() -> None:
    day = Day(Limits(per_caller=2, queue=3), {}, Plan(load=5, answer=1), Random(12))
    for _ in range(3):
        day.ask(0, A, "x")
    for caller in "yzw":
        day.ask(0, A, caller)
    day.run(until=0)
    refused = [t for t in day.settled if t.state == "refused"]
    assert {type(t.error) for t in refused} == {QuotaReached}
    assert sorted(t.caller for t in refused) == ["w", "x", "z"]
    day.run()
    day.ask(100, A, "x")
    day.ask(100, A, "x")
    day.run()
    assert day.ended == 5


def test_a_failed_load_is_remembered_longer_each_time() -> None:
    plan = Plan(load=0, fails=1.0)
    day = Day(Limits(failure_seconds=10), {}, plan, Random(13))
    for second in range(0, 1000, 5):
        day.ask(second, A)
    day.run()
    assert day.starts[A] == 10  # at 0, 10, 30, 70, 150, 310 s, and from then on every 160 s
    assert {type(t.error) for t in day.settled} == {EngineFailed}


def test_an_engine_that_breaks_at_each_first_answer_is_given_up_for_a_while() -> None:
    plan = Plan(load=0, answer=0, stop=0, breaks=1.0)
    day = Day(Limits(failure_seconds=1000), {}, plan, Random(14))
    for second in range(20):
        day.ask(second, A)
    day.run()
    assert day.starts[A] == 4
    assert [n.kind for n in day.notices].count("crashed") == 4


def test_closing_refuses_who_waits_and_stops_the_rest() -> None:
    limits = Limits(engines=1)
    day = Day(limits, {}, Plan(load=4, answer=50, stop=1), Random(15))
    for when, name in ((0, A), (1, B), (2, C)):
        day.ask(when, name)
    day.close(5)
    day.ask(6, D)
    day.run()
    errors = {t.model: type(t.error) for t in day.settled if t.error}
    assert errors == {B: Stopping, C: Stopping, D: Stopping}
    assert not day.alive


def test_closing_refuses_who_waits_for_an_engine_that_is_still_loading() -> None:
    day = Day(Limits(), {}, Plan(load=9, answer=1, exact=True), Random(19))
    day.ask(0, A)
    day.ask(1, A)
    day.close(2)
    day.run(until=2)
    assert [type(t.error) for t in day.settled] == [Stopping] * 2
    day.run()
    assert not day.alive
