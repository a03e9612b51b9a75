from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from choices.subjects import INSTRUMENTS, with_tasks
from otium.choices import EXPERIMENTS, Amount, Series, load_experiments, planned
from otium.choices.records import check_tasks
from otium.errors import BadData


def test_there_are_tasks_of_every_kind_in_at_least_four_wordings() -> None:
    tasks = INSTRUMENTS.tasks
    assert len(tasks.tasks) >= 24
    assert len(tasks.wordings) >= 4
    for name in ("difficulty", "impact"):
        assert {getattr(task, name) for task in tasks.tasks} == {1, 2, 3, 4, 5}
    assert len({task.topic for task in tasks.tasks}) == 5
    assert {"aversive", "free", "routine"} < {task.type for task in tasks.tasks}


def test_difficulty_and_impact_vary_apart() -> None:
    tasks = INSTRUMENTS.tasks.tasks
    pairs = {(task.difficulty, task.impact) for task in tasks}
    assert {(5, 1), (5, 5), (1, 1)} <= pairs
    assert len(pairs) >= 12


def test_each_instrument_has_a_canary_of_its_own_and_a_digest() -> None:
    canaries = {part.canary for part in INSTRUMENTS}
    assert len(canaries) == len(INSTRUMENTS)
    names = set(INSTRUMENTS.digests(EXPERIMENTS))
    assert names == {"tasks/1.0", "tradeoffs/1.0", "stated/1.0", "reading/1.0"}
    assert set(INSTRUMENTS.digests(["stated"])) == {"tasks/1.0", "stated/1.0", "reading/1.0"}


def test_a_trade_off_says_for_whom_and_at_what_cost() -> None:
    trade = INSTRUMENTS.tradeoffs
    assert 3 <= len(trade.magnitudes) <= 5
    assert {series.whose for series in trade.series()} == {"own", "other"}
    assert {series.level for series in trade.series()} == {"instance", "policy"}
    for series in trade.series():
        assert Series.named(series.name) == series
        texts = {trade.offer(series, magnitude) for magnitude in trade.magnitudes}
        assert len(texts) == len(trade.magnitudes)
        assert not re.search("[{}]", "".join(texts))


def test_one_series_is_a_control_that_nobody_is_known_to_want() -> None:
    assert [one.id for one in INSTRUMENTS.tradeoffs.interventions if one.control] == ["folder"]


def test_two_tasks_with_one_text_are_refused() -> None:
    one = INSTRUMENTS.tasks.tasks[0]
    twin = replace(one, id="twin", text=f"  {one.text.upper()} ")
    for bad in (with_tasks(one, one), with_tasks(one, twin), with_tasks()):
        with pytest.raises(BadData):
            check_tasks(bad.tasks)


def test_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(BadData, match=r"tasks-9\.9"):
        load_experiments("9.9")


def test_what_is_planned_can_be_known_beforehand() -> None:
    assert planned(["stated"]) == {"stated": 80}
    assert planned(amount=Amount(limit=10)) == dict.fromkeys(EXPERIMENTS, 10)
    twice = planned(["tradeoffs"], amount=Amount(repeats=2))
    assert twice == {"tradeoffs": 2 * planned(["tradeoffs"])["tradeoffs"]}
