from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.database import open_database
from otium.errors import BadInput
from otium.quotas import (
    TABLES,
    Budget,
    Gate,
    Rate,
    Sharing,
    duration,
    moment,
    rate_headers,
    read_budget,
    read_rate,
    renews,
)

T = 1795651200.0


@given(
    rate=st.builds(
        Rate,
        unit=st.just("requests"),
        amount=st.integers(1, 50),
        seconds=st.sampled_from([1, 60]),
        burst=st.none() | st.integers(1, 20),
    ),
    gaps=st.lists(st.floats(0, 5), max_size=200),
)
def test_no_window_has_more_than_the_burst_and_what_the_rate_adds(
    rate: Rate, gaps: list[float]
) -> None:
    gate, now, taken = Gate("k", rate, ""), T, []
    for gap in gaps:
        now += gap
        if not gate.wait(now, 1):
            gate.take(now, 1)
            taken.append(now)
    burst = rate.burst or rate.amount
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            most = burst + (taken[last] - taken[first]) * rate.amount / rate.seconds
            assert last - first + 1 <= most + 1e-3


@given(st.integers(1, 100), st.integers(1, 20))
def test_who_waits_as_long_as_he_is_told_is_let_in_and_not_before(amount: int, burst: int) -> None:
    gate = Gate("k", Rate(unit="requests", amount=amount, burst=burst), "")
    for _ in range(burst):
        assert not gate.wait(T, 1)
        gate.take(T, 1)
    wait = gate.wait(T, 1)
    assert wait > 0
    assert gate.wait(T + wait * 0.99, 1)
    assert not gate.wait(T + wait + 1e-6, 1)


def test_what_is_larger_than_the_bucket_waits_for_a_full_one() -> None:
    gate = Gate("k", Rate(unit="tokens", amount=100), "")
    assert not gate.wait(T, 250)
    gate.take(T, 250)
    assert gate.wait(T, 1) == pytest.approx(90.6)


def test_what_is_given_back_can_be_taken_again() -> None:
    gate = Gate("k", Rate(unit="tokens", amount=100), "")
    gate.take(T, 100)
    assert gate.left(T) == 0
    gate.take(T, -60)
    assert gate.left(T) == 60
    assert not gate.wait(T, 60)
    assert gate.wait(T, 61)


def test_gateways_that_share_a_limit_hold_it_within_the_stated_bound(database: str) -> None:
    engine = open_database(database, TABLES)
    rate, period, seconds = Rate(unit="requests", amount=50, seconds=1, burst=20), 0.25, 4
    shares = [Sharing(engine, threading.Lock(), holder=f"h{n}") for n in range(3)]
    for one in shares:
        one.beat(T)
    for one in shares:
        one.beat(T)
        assert one.replicas == 3
    taken = 0
    for step in range(int(seconds / period) * 25):
        now = T + step * period / 25
        for one in shares:  # each is asked as often as it lets in
            gate = one.gate("k", rate, "")
            while not gate.wait(now, 1, one.replicas):
                one.take(gate, now, 1)
                taken += 1
        if step % 25 == 24:
            for one in shares:
                one.exchange(now)
    assert taken >= 50 * seconds - 50 * period  # and no more is refused than must be
    bound = 20 + 50 * seconds + 2 * 50 * period + 3
    assert taken <= bound
    for one in shares:
        one.close(T + seconds)
    engine.dispose()


def test_what_one_takes_another_learns(database: str) -> None:
    engine = open_database(database, TABLES)
    rate = Rate(unit="requests", amount=10)
    one, other = (Sharing(engine, threading.Lock(), holder=name) for name in ("a", "b"))
    for _ in range(6):
        one.take(one.gate("k", rate, "m"), T, 1)
    one.exchange(T)
    there = other.gate("k", rate, "m")
    other.take(there, T, 1)
    other.exchange(T)
    assert there.left(T) == 3
    one.exchange(T)
    assert one.gate("k", rate, "m").left(T) == 3
    engine.dispose()


def test_the_headers_have_both_names_and_the_tightest_limit() -> None:
    minute, model = Rate(unit="requests", amount=60), Rate(unit="requests", amount=10)
    gates = [Gate("k", minute, ""), Gate("k", model, "m")]
    for gate in gates:
        gate.take(T, 4)
    tokens = Gate("k", Rate(unit="tokens", amount=6000), "")
    tokens.take(T, 1500)
    assert rate_headers([*gates, tokens], T) == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "6",
        "x-ratelimit-reset-requests": "24s",
        "anthropic-ratelimit-requests-limit": "10",
        "anthropic-ratelimit-requests-remaining": "6",
        "anthropic-ratelimit-requests-reset": "2026-11-26T00:00:24Z",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "4500",
        "x-ratelimit-reset-tokens": "15s",
        "anthropic-ratelimit-tokens-limit": "6000",
        "anthropic-ratelimit-tokens-remaining": "4500",
        "anthropic-ratelimit-tokens-reset": "2026-11-26T00:00:15Z",
    }


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0ms"), (0.0121, "13ms"), (7.66, "7.66s"), (360, "6m0s"), (7325, "2h2m5s")],
)
def test_a_duration_is_written_as_openai_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_budgets_and_rates_are_read_as_they_are_written() -> None:
    for text in ("100000 tokens/day", "5 requests/month", "7 tokens/total"):
        assert str(read_budget(text)) == text
    for text in ("60 requests/minute", "20 requests/second/model", "9 tokens/hour"):
        assert str(read_rate(text)) == text
    assert read_budget("1_000-tokens/day").amount == 1000
    for wrong in (
        "tokens/day",
        "0 tokens/day",
        "5 tokens/year",
        "5 apples/day",
        f"{2**54} tokens/day",
    ):
        with pytest.raises(BadInput):
            read_budget(wrong)
    for wrong in ("5 requests", "5 requests/day", "-5 requests/minute"):
        with pytest.raises(BadInput):
            read_rate(wrong)


def test_a_budget_begins_anew_at_midnight_utc_and_on_the_first() -> None:
    hour = 3600
    assert renews(Budget(unit="tokens", amount=1, period="day"), T + hour) == 23 * hour
    assert renews(Budget(unit="tokens", amount=1, period="month"), T + hour) == 5 * 24 * hour - hour
    assert renews(Budget(unit="tokens", amount=1, period="total"), T) is None
    assert moment(T + 0.2) == "2026-11-26T00:00:01Z"
