from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from otium.admission import Admission, Issued, Line, Scope, read_lines
from otium.errors import Refused
from otium.quotas import Budget, Used, budgets, read_budget, read_rate, used
from otium.records import Instant

NOW = Instant("2026-11-26T00:00:00Z")
T = 1795651200.0


@pytest.fixture
def admission(database: str) -> Iterator[Admission]:
    with Admission(database, clock=lambda: T) as one:
        yield one


def made(admission: Admission, *, budgets: str = "", rates: str = "") -> Issued:
    issued = admission.keys.create(
        "a lab",
        Scope(verbs=("chat", "models", "prewarm")),
        now=NOW,
        budgets=[read_budget(one) for one in budgets.split(", ") if one],
        rates=[read_rate(one) for one in rates.split(", ") if one],
    )
    admission.refresh()
    return issued


def refused(admission: Admission, secret: str, *, at: float = T, tokens: int = 10) -> Refused:
    with pytest.raises(Refused) as caught:
        admission.enter(secret, model="m", now=at, tokens=tokens)
    return caught.value


def use(admission: Admission, issued: Issued) -> list[Used]:
    admission._bank.settle(T, idle=0)
    return used(admission._engine, issued.key.id, issued.key.budgets, "2026-11-26")


def test_a_budget_is_reserved_before_and_settled_after(admission: Admission) -> None:
    issued = made(admission, budgets="100 tokens/day, 5 requests/month")
    caller = admission.enter(issued.secret, model="m", now=T, tokens=80)
    assert refused(admission, issued.secret, tokens=30).code == "insufficient_quota"
    admission.settle(caller, 5, 7)
    admission.settle(caller, 50, 70)  # a second time changes nothing
    assert admission.enter(issued.secret, model="m", now=T + 1, tokens=88).open
    assert [one.used for one in use(admission, issued)] == [100, 2]


def test_a_clean_stop_gives_back_also_what_could_not_be_given_back_before(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Admission(database, clock=lambda: T) as one:
        issued = made(one, budgets="1000 tokens/total")
        one.settle(one.enter(issued.secret, model="m", now=T, tokens=20), 4, 6)
        with monkeypatch.context() as broken:
            broken.setattr(budgets, "_move", unreachable)
            with pytest.raises(OSError, match="gone"):
                one._bank.settle(T, idle=0)
    with Admission(database, clock=lambda: T) as one:
        (left,) = used(one._engine, issued.key.id, issued.key.budgets, "2026-11-26")
    assert left.used == 10


def unreachable(*_: object, **__: object) -> None:
    raise OSError("the database is gone")


def test_a_request_that_asked_no_model_costs_nothing(admission: Admission) -> None:
    issued = made(admission, budgets="100 tokens/day, 1 requests/day", rates="1 requests/hour")
    for _ in range(3):
        admission.cancel(admission.enter(issued.secret, model="m", now=T, tokens=100))
    assert [one.used for one in use(admission, issued)] == [0, 0]


def test_who_used_up_a_budget_is_told_when_it_begins_anew(admission: Admission) -> None:
    issued = made(admission, budgets="1 requests/day")
    admission.enter(issued.secret, model="m", now=T + 3600, tokens=0)
    error = refused(admission, issued.secret, at=T + 3600)
    assert (error.status, error.code) == (429, "insufficient_quota")
    assert error.headers == {"x-should-retry": "false", "Retry-After": str(23 * 3600)}
    assert error.facts["budget"] == "1 requests/day"
    assert admission.enter(issued.secret, model="m", now=T + 86400, tokens=0).open


def test_a_budget_for_life_never_begins_anew(admission: Admission) -> None:
    issued = made(admission, budgets="1 requests/total")
    admission.enter(issued.secret, model="m", now=T, tokens=0)
    error = refused(admission, issued.secret, at=T + 400 * 86400)
    assert "Retry-After" not in error.headers


def test_an_answer_beyond_its_reservation_is_counted_in_full(admission: Admission) -> None:
    issued = made(admission, budgets="100 tokens/total")
    caller = admission.enter(issued.secret, model="m", now=T, tokens=60)
    admission.settle(caller, 60, 80)
    (found,) = use(admission, issued)
    assert (found.used, found.held) == (140, 0)
    assert refused(admission, issued.secret, tokens=1).code == "insufficient_quota"


def test_who_asks_too_fast_is_told_when_to_come_again(admission: Admission) -> None:
    issued = made(admission, rates="2 requests/minute, 1000 tokens/minute")
    admission.enter(issued.secret, model="m", now=T, tokens=10)
    caller = admission.enter(issued.secret, model="m", now=T, tokens=10)
    assert admission.headers(caller)["x-ratelimit-remaining-requests"] == "0"
    assert admission.headers(caller)["anthropic-ratelimit-tokens-remaining"] == "980"
    error = refused(admission, issued.secret)
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.headers["Retry-After"] == "30"
    assert error.headers["x-ratelimit-limit-requests"] == "2"
    assert admission.enter(issued.secret, model="m", now=T + 30.001, tokens=10).open


def test_each_model_may_have_a_rate_of_its_own(admission: Admission) -> None:
    issued = made(admission, rates="1 requests/minute/model, 3 requests/minute")
    for model in ("a", "b", "c"):
        admission.enter(issued.secret, model=model, now=T, tokens=1)
    for model in ("a", "d"):
        with pytest.raises(Refused, match="limit"):
            admission.enter(issued.secret, model=model, now=T, tokens=1)


def test_listing_models_costs_nothing(admission: Admission) -> None:
    issued = made(admission, budgets="1 requests/total", rates="1 requests/hour")
    for _ in range(5):
        caller = admission.enter(issued.secret, verb="models", now=T)
        assert admission.headers(caller) == {}
    assert admission.enter(issued.secret, model="m", verb="prewarm", now=T).open


def test_what_one_gateway_leaves_another_can_use(database: str) -> None:
    def clock() -> float:
        return T

    with Admission(database, clock=clock) as one, Admission(database, clock=clock) as other:
        issued = made(one, budgets="100 requests/total")
        other.refresh()
        one.enter(issued.secret, model="m", now=T, tokens=0)
        for _ in range(94):
            other.enter(issued.secret, model="m", now=T, tokens=0)
        assert refused(other, issued.secret).code == "insufficient_quota"
        one._bank.settle(T + 10, idle=1)  # what it draws in advance it gives back when idle
        for lease in other._bank._leases.values():
            lease.dry = (0, 0.0)  # as a quarter of a second later
        for _ in range(5):
            other.enter(issued.secret, model="m", now=T, tokens=0)


def test_threads_of_one_gateway_do_not_overspend(admission: Admission) -> None:
    issued = made(admission, budgets="500 requests/total")
    entered = []

    def ask() -> None:
        while True:
            try:
                entered.append(admission.enter(issued.secret, model="m", now=T, tokens=0))
            except Refused:
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 500


def test_an_event_loop_is_not_kept_waiting(admission: Admission) -> None:
    issued = made(admission, budgets="1_000_000 tokens/day, 50 requests/day")

    async def ask() -> list[object]:
        asked = [admission.admit(issued.secret, model="m", now=T, tokens=1000) for _ in range(60)]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask())
    assert sum(isinstance(one, Refused) for one in found) == 10


def test_what_is_noted_is_in_the_log_after_the_end(database: str) -> None:
    said = Line(
        time=NOW,
        key="abc",
        act="chat",
        model="m" * 300 + "\0",
        status=200,
        code="answered",
        tokens_in=3,
        tokens_out=4,
        milliseconds=5,
    )
    with Admission(database) as admission:
        for _ in range(3):
            admission.note(said)
    with Admission(database) as again:
        lines = read_lines(again._engine, model="m" * 100, since=NOW, limit=2)
    assert [line.tokens_out for line in lines] == [4, 4]


def test_the_log_forgets_after_its_days(database: str) -> None:
    with Admission(database, clock=lambda: T + 100 * 86400) as admission:
        issued = made(admission)
        admission.keys.rotate(issued.key.id, now=Instant("2027-03-01T00:00:00Z"))
        admission.share()
        lines = read_lines(admission._engine)
    assert [line.act for line in lines] == ["key.rotated"]


def test_a_budget_says_how_it_is_written() -> None:
    assert str(Budget(unit="tokens", amount=5, period="day")) == "5 tokens/day"
