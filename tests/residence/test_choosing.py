from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from otium.residence.choosing import Candidate, Room, victims
from otium.residence.history import History

candidates = st.lists(
    st.builds(
        Candidate,
        engine=st.integers(0, 10**9),
        room=st.builds(Room, st.integers(0, 9), st.just(1)),
        worth=st.sampled_from([0.0, 1.0, 2.0, 5.0]),
        used=st.floats(0, 9),
        busy=st.booleans(),
    ),
    unique_by=lambda one: one.engine,
    max_size=8,
)
needs = st.builds(Room, st.integers(0, 30), st.integers(0, 4))


@given(candidates, needs)
def test_whoever_goes_frees_what_is_needed_and_nobody_goes_in_vain(
    able: list[Candidate[int]], need: Room
) -> None:
    gone = victims(able, need)
    total = Room(sum(one.room.bytes for one in able), len(able))
    assert (gone is None) == (not total.holds(need))
    rooms = {one.engine: one.room for one in able}
    for without in [None, *(gone or [])]:
        left = [rooms[engine] for engine in gone or [] if engine != without]
        freed = Room(sum(room.bytes for room in left), len(left))
        assert gone is None or freed.holds(need) == (without is None)


def test_the_least_worth_goes_and_an_idle_one_before_one_in_use() -> None:
    able = [
        Candidate("dear", Room(4, 1), 5.0, 0.0),
        Candidate("cheap", Room(4, 1), 1.0, 9.0),
        Candidate("cheaper, in use", Room(4, 1), 0.1, 0.0, busy=True),
    ]
    assert victims(able, Room(3, 1)) == ["cheap"]
    assert victims(able, Room(8, 1)) == ["cheap", "dear"]


def test_the_estimated_rate_of_a_steady_stream_is_its_rate() -> None:
    past = History()
    for number in range(20_000):
        past.used(number / 2.0, half_life=600.0)
    assert abs(past.rate(10_000.0, 600.0) / 2.0 - 1) < 0.01
    assert abs(past.rate(10_600.0, 600.0) / 1.0 - 1) < 0.01


def test_a_worth_is_the_seconds_saved_per_second_for_the_share_taken() -> None:
    past = History()
    past.used(0.0, half_life=100.0)
    past.loaded(20.0, 5)
    rate = math.log(2) / 100
    assert math.isclose(past.worth(0.0, 100.0, 0.5), 20 * rate / 0.5)
    assert past.worth(100.0, 100.0, 0.5) < past.worth(0.0, 100.0, 0.5) < past.worth(0.0, 100.0, 0.1)
