from __future__ import annotations

import os

import pytest

from bench.families import base_model
from otium.bench.coders import BitX, Coded, Otium
from otium.bench.data import Tensor, disturbed
from otium.bench.measure import Goal, Line, Spread, compare, goals, one_core, present, timed
from otium.errors import BadData


def test_a_spread_is_median_least_and_most() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)


def test_goals_are_met_from_either_side() -> None:
    assert Goal("bytes", "%", "less", 10, 10).met
    assert not Goal("bytes", "%", "less", 10, 10.1).met
    assert Goal("speed", "GB/s", "more", 1, 1).met
    assert not Goal("speed", "GB/s", "more", 1, 0.9).met


def test_a_goal_on_the_worst_figure_takes_the_worst() -> None:
    assert goals("x", "less", 1, [0.5, 2.0, 0.7], take="worst")[0].reached == 2.0
    assert goals("x", "more", 1, [0.5, 2.0, 0.7], take="worst")[0].reached == 0.5
    assert goals("x", "more", 1, [0.5, 2.0, 0.7])[0].reached == 0.7
    assert goals("x", "more", 1, []) == []


def test_a_line_counts_in_bits_a_weight_and_bytes_a_second() -> None:
    line = Line("m", "c", weights=100, original=200, stored=50, decode=(0.5, 1.0, 2.0))
    assert (line.bits, line.share) == (4.0, 0.25)
    assert line.speed(line.decode) == Spread(200, 100, 400)


def test_time_is_cpu_time_of_children_too() -> None:
    def child() -> None:
        pid = os.fork()
        if not pid:
            sum(range(3_000_000))
            os._exit(0)
        os.waitpid(pid, 0)

    assert timed(child)[1] > 0.01
    assert timed(lambda: None)[1] < 0.01


def test_one_core_is_one_core_and_given_back() -> None:
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_each_round_times_each_coder_on_the_same_model() -> None:
    base = base_model()
    coders = present([Otium(), BitX()], {})
    lines = compare("m", coders, disturbed(base, 0.01), base, rounds=2)
    assert [line.coder for line in lines] == [coder.name for coder in coders]
    assert {(line.weights, line.original, len(line.encode)) for line in lines} == {
        (90368, 180736, 2)
    }
    assert sum(lines[0].codecs.values()) == 180736


def test_a_coder_that_loses_a_byte_is_found_out() -> None:
    class Careless(Otium):
        def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> bytes:
            return bytes(super().decode(coded, like, base))[:-1]

    with pytest.raises(BadData, match=r"does not give embed\.weight back"):
        compare("m", [Careless()], base_model(), None, rounds=1)


def test_absent_peers_are_noted_and_left_out() -> None:
    class Absent(BitX):
        modules = ("otium_no_such_module",)

    missing: dict[str, str] = {}
    assert present([Absent()], missing) == []
    assert missing == {"BitX": "pip install zstandard==0.25.0"}
