"""Tasks made from parts, and records that find their instruments again."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from msgspec.structs import replace

from choices.subjects import NOW, spread
from otium.choices import (
    Amount,
    Choices,
    Tasks,
    findings,
    hold_choices,
    instruments_of,
    lint_tasks,
    load_experiments,
    render_choices,
    transcripts,
)
from otium.errors import BadData, BadInput
from otium.testing import Stable

MADE = load_experiments("2.0").tasks
OLD = Path(__file__).parent / "samples" / "with-exit.json"
SOME = Amount(pairs=10)


def test_at_least_200_tasks_are_made_and_the_linter_finds_nothing() -> None:
    assert len(MADE.tasks) >= 200
    assert lint_tasks(MADE) == []
    assert len({task.id for task in MADE.tasks}) == len(MADE.tasks)


def test_they_are_the_same_whenever_they_are_made() -> None:
    assert load_experiments("2.0").tasks.digest() == MADE.digest()
    assert load_experiments("2.0+50.7").tasks == load_experiments("2.0+50.7").tasks
    assert load_experiments("2.0+50.7").tasks != load_experiments("2.0+50.8").tasks


def test_no_dimension_can_pass_for_another() -> None:
    crossed = [task for task in MADE.tasks if task.type != "free"]
    places = [(t.type, str(t.difficulty), str(t.impact), t.topic) for t in crossed]
    for one, other in combinations(range(4), 2):
        together = Counter((place[one], place[other]) for place in places)
        kinds = len({place[one] for place in places}) * len({place[other] for place in places})
        assert len(together) == kinds
        assert max(together.values()) == min(together.values())


@pytest.mark.parametrize("seed", range(5))
def test_fifty_tasks_are_drawn_in_even_shares(seed: int) -> None:
    drawn = load_experiments(f"2.0+50.{seed}").tasks
    assert len(drawn.tasks) == 50
    types = Counter(task.type for task in drawn.tasks)
    assert {types[name] for name in ("harmful", "ambiguous", "neutral", "positive")} <= {11, 12, 13}
    assert types["free"] >= 2
    for name in ("harmful", "positive"):
        levels = Counter(task.difficulty for task in drawn.tasks if task.type == name)
        assert min(levels.values()) >= 2
        assert set(levels) == {1, 2, 3, 4, 5}


def changed(place: int, **what: object) -> Tasks:
    tasks = list(MADE.tasks)
    tasks[place] = replace(tasks[place], **what)
    return replace(MADE, tasks=tuple(tasks))


def test_the_linter_names_what_is_wrong() -> None:
    (open_,) = lint_tasks(changed(0, text="explain {subject} to a village"))
    assert "left open" in open_
    (twin,) = lint_tasks(changed(0, text=MADE.tasks[9].text))
    assert MADE.tasks[0].id in twin
    assert MADE.tasks[9].id in twin
    near = MADE.tasks[9].text.replace("a ", "the ", 1)
    assert any("nearly the same" in found for found in lint_tasks(changed(0, text=near)))
    (level,) = lint_tasks(changed(0, difficulty=6))
    assert "1 to 5" in level
    same = tuple(
        replace(task, text=f"please do the very same old thing again number {at}")
        for at, task in enumerate(MADE.tasks[:20])
    )
    assert any("half of all pairs" in it for it in lint_tasks(replace(MADE, tasks=same)))


@pytest.mark.parametrize("version", ["2.0+0.1", "2.0+211.1"])
def test_too_few_or_too_many_tasks_are_refused(version: str) -> None:
    with pytest.raises(BadInput, match="can be drawn"):
        load_experiments(version)


@pytest.mark.parametrize("version", ["2.0+50", "2", "2.0+x.1", "../1.0", "9.9+5.1"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(BadData):
        load_experiments(version)


@pytest.mark.parametrize("version", ["1.0", "2.0+30.4"])
def test_a_record_finds_the_instruments_it_was_made_with(version: str) -> None:
    used = load_experiments(version)
    held = hold_choices(Stable(spread(1)), now=NOW, instruments=used, amount=SOME)
    assert instruments_of(held) == used
    assert len(transcripts(held, instruments_of(held))) == len(held.trials)


def test_instruments_that_are_not_ours_are_not_guessed() -> None:
    own = load_experiments()
    other = own._replace(tasks=replace(own.tasks, decline="You must answer."))
    held = hold_choices(Stable({}), ["tasks"], now=NOW, instruments=other, amount=SOME)
    with pytest.raises(BadInput, match=r"tasks/1\.0"):
        instruments_of(held)


def test_a_record_from_before_the_exit_moved_is_read_counted_and_shown() -> None:
    held = Choices.decode(OLD.read_bytes())
    assert held.encode() == OLD.read_bytes()
    assert held.experiments == ("stated", "exit")
    found = findings(held, instruments_of(held))
    ended = found.figure("ended:abusive")
    assert ended is not None
    assert ended.estimate.text() == "1.00 (0.61 to 1.00)"
    assert held.outcomes("exit")["answered"] == len(held.of("exit"))
    assert "## Leaving a conversation" in render_choices(held, found)
    assert len(transcripts(held, instruments_of(held))) == len(held.of("stated"))
