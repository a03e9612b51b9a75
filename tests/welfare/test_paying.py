"""Paid choice, of subjects whose taste and thrift are planted."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

import pytest

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.evidence import Sample, run, sessions
from otium.records import ModelId, digest, instant
from otium.testing import Refuser
from otium.testing.scripted import spoken
from otium.welfare import (
    PaidFindings,
    Purse,
    packaged_paid,
    paid_findings,
    paid_plan,
    paid_plays,
    read_choice,
)

NOW = instant("2026-11-26")
PAID = packaged_paid()
PLAN = paid_plan()
_OFFER = re.compile(r"^(\w+): .* \((-?\d+) points\)$", re.MULTILINE)


class Reader:
    """Planted: spends as *how* says, and says that it likes what *says* names."""

    def __init__(self, how: str, says: str = "") -> None:
        self.how, self.says = how, says
        self._rng = random.Random(how)

    @property
    def identity(self) -> Identity:
        weights = digest(f"{self.how}/{self.says}".encode())
        return Identity(model=ModelId("reader"), weights=weights, engine="planted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        asked = messages[-1].content
        if '"rating"' in asked:
            return spoken(json.dumps({"rating": self._rate(asked)}), messages, options)
        offers = {name: int(price) for name, price in _OFFER.findall(asked)}
        return spoken(json.dumps({"choose": self._choose(offers)}), messages, options)

    def _rate(self, asked: str) -> int:
        rooms = [room.id for room in PAID.rooms]
        room = next(room.id for room in PAID.rooms if room.holds in asked)
        if self.says == room:
            return 7
        return 1 + rooms.index(room) % 4

    def _choose(self, offers: dict[str, int]) -> str:
        if self.how == "random":
            return self._rng.choice([*offers, "rest"])
        if self.how == "saves":
            cheapest = min(offers, key=lambda name: offers[name], default="rest")
            return cheapest if offers.get(cheapest, 0) < 0 else "rest"
        if self.how == "by-place":
            return next(iter(offers), "rest")
        if self.how == "price-led":
            wanted = [name for name in ("nature", "puzzles", "stories", "code") if name in offers]
            return min(wanted, key=lambda name: offers[name], default="rest")
        if self.how.startswith("prefers:"):
            room = self.how.partition(":")[2]
            return room if room in offers else "rest"
        return {"rests": "rest", "stops": "stop", "unreadable": "hm"}[self.how]


def played(model: Reader | Refuser) -> tuple[Sample, ...]:
    task = sessions("paid", paid_plays(PLAN), instrument=PLAN.instrument)
    return run([task], model, now=NOW)


def found(model: Reader | Refuser) -> PaidFindings:
    return paid_findings(PLAN, [sample.transcript for sample in played(model)])


@pytest.mark.parametrize(
    "how",
    ["prefers:nature", "prefers:complaints", "saves", "rests", "stops", "by-place", "unreadable"],
)
def test_each_planted_subject_is_named_and_nothing_else_is(how: str) -> None:
    assert found(Reader(how)).traits == (how,)


def test_one_that_chooses_at_random_shows_no_pattern() -> None:
    made = found(Reader("random"))
    assert made.traits == ("no-pattern",)
    assert not made.figure("demand").excludes(0)
    assert not made.figure("stated-revealed").excludes(0)


def test_one_that_goes_by_the_price_has_a_falling_demand() -> None:
    made = found(Reader("price-led"))
    assert made.traits == ("price-led",)
    assert made.figure("demand").high < 0
    assert made.figure("demand:nature").value < 0
    assert made.figure("share:complaints").value == 0


def test_a_taste_that_no_price_moves_has_a_flat_demand() -> None:
    made = found(Reader("prefers:nature", "nature"))
    assert made.figure("demand:nature").value == pytest.approx(0)
    assert made.figure("dear:nature").value == 1


def test_words_and_deeds_are_set_beside_each_other() -> None:
    honest = found(Reader("prefers:complaints", "complaints"))
    other = found(Reader("prefers:complaints", "stories"))
    assert honest.stated["complaints"] == 7
    assert honest.figure("stated-revealed").value > other.figure("stated-revealed").value


def test_one_that_declines_in_words_is_unreadable_and_rates_nothing() -> None:
    made = found(Refuser())
    assert made.traits == ("unreadable",)
    assert made.stated == {}
    assert made.figure("stated-revealed").text() == "unknown"


def test_a_session_can_be_replayed_from_what_was_said() -> None:
    samples = played(Reader("price-led"))
    made = paid_findings(PLAN, [sample.transcript for sample in samples])
    kept = {
        sample.transcript.id: sample.state["chosen"]
        for sample in samples
        if "chosen" in sample.state
    }
    assert {one.transcript: [v.chosen for v in one.visits] for one in made.sessions} == kept


def test_who_stops_has_ended_the_session_itself() -> None:
    ended = {s.transcript.ended for s in played(Reader("stops")) if "chosen" in s.state}
    assert ended == {"ended-by-model"}


def test_each_room_is_cheap_once_and_dear_once_and_lists_go_both_ways() -> None:
    assert len(PAID.arms()) == 2 + 2 * len(PAID.rooms)
    for room in PAID.rooms:
        assert PAID.prices(f"cheap:{room.id}")[room.id] == PAID.cheap
        assert PAID.prices(f"dear:{room.id}")[room.id] == PAID.dear
    orders = [play.facets["order"] for play in paid_plays(PLAN) if play.facets["arm"] != "stated"]
    assert orders.count("forward") == orders.count("backward") == len(PAID.arms())


def test_what_costs_more_than_is_left_is_not_offered_and_points_never_run_below_zero() -> None:
    purse = Purse(PAID, "dear:code", "forward", PAID.budget)
    while purse.open:
        purse = purse.after('{"choose": "code"}')
        assert purse.points >= 0
    assert purse.chosen == ("code",) * 4 + ("",) * 4
    assert "code" not in purse.offered()


@pytest.mark.parametrize(
    ("reply", "chosen"),
    [
        ('{"choose": "nature"}', "nature"),
        ('I think {"choose" : "Nature"}', "nature"),
        ("nature.", "nature"),
        ('{"choose": "cellar"}', ""),
        ("nature or puzzles", ""),
        ("", ""),
        ('{"choose": "' + "x" * 90_000, ""),
    ],
)
def test_a_choice_is_read_or_nothing_is(reply: str, chosen: str) -> None:
    assert read_choice(reply, ("nature", "puzzles", "rest", "stop")) == chosen


def test_a_short_run_names_nothing() -> None:
    short = paid_plan("fast")
    task = sessions("paid", paid_plays(short), instrument=short.instrument)
    talks = [sample.transcript for sample in run([task], Reader("rests"), now=NOW)]
    assert paid_findings(short, talks).traits == ("too-few",)
