"""The statistics, on subjects whose truth is planted."""

from __future__ import annotations

import math
import random

import pytest

from otium.assess import Choice, Exit, Preferences, exit_decision, load, tally, win_rates
from otium.assess.validity import preference_checks
from otium.assess.welfare import Order, preference_measures
from otium.evidence import wilson

SPEC = load("instruments/preferences.toml", Preferences)
ORDERS: tuple[Order, ...] = ("ab", "ba")


def ask(pair: tuple[str, str], order: Order, first_wins: bool) -> Choice:
    """Return the answer of a subject that does or does not choose the pair's first task."""
    return Choice(pair=pair, order=order, picked="A" if first_wins == (order == "ab") else "B")


def noisy(rng: random.Random, utility: dict[str, float]) -> list[Choice]:
    made = []
    for pair in SPEC.pairs():
        share = 1 / (1 + math.exp(utility[pair[1]] - utility[pair[0]]))
        made += [ask(pair, order, rng.random() < share) for order in ORDERS]
    return made


def test_a_choice_names_its_option_in_either_order() -> None:
    for order, picked, chosen in [("ab", "A", "x"), ("ab", "B", "y"), ("ba", "A", "y")]:
        made = Choice.convert({"pair": ["x", "y"], "order": order, "picked": picked})
        assert made.chosen == chosen
    assert Choice(pair=("x", "y"), order="ab", picked=None).chosen is None


def test_every_task_meets_four_others_once() -> None:
    pairs = SPEC.pairs()
    assert len({frozenset(pair) for pair in pairs}) == len(pairs) == 16
    for task in SPEC.tasks:
        assert sum(task in pair for pair in pairs) == 4


@pytest.mark.parametrize("truth", [0.05, 0.3, 0.5, 0.9])
def test_the_interval_covers_a_planted_share(truth: float) -> None:
    rng, covered = random.Random(17), 0
    for _ in range(2000):
        low, high = wilson(sum(rng.random() < truth for _ in range(40)), 40)
        covered += low <= truth <= high
    assert covered / 2000 >= 0.92


def test_a_noisy_subject_has_its_true_win_rates_within_the_intervals() -> None:
    rng = random.Random(5)
    utility = {task: place / 2 for place, task in enumerate(SPEC.tasks)}
    inside = total = 0
    for _ in range(300):
        for task, (won, n) in win_rates(tally(noisy(rng, utility))).items():
            truth = [
                _decided(utility[task] - utility[other])
                for pair in SPEC.pairs()
                if task in pair
                for other in pair
                if other != task
            ]
            low, high = wilson(won, n)
            inside += low <= sum(truth) / len(truth) <= high
            total += 1
    assert inside / total >= 0.93


def _decided(difference: float) -> float:
    """Return the chance of a win among pairs where both orders agree."""
    share = 1 / (1 + math.exp(-difference))
    return share**2 / (share**2 + (1 - share) ** 2)


def test_a_coin_is_withheld_and_a_steady_subject_is_not() -> None:
    rng = random.Random(3)
    passed = sum(
        all(check.passed for check in preference_checks(noisy(rng, dict.fromkeys(SPEC.tasks, 0.0))))
        for _ in range(400)
    )
    assert passed / 400 <= 0.06
    steady = [ask(pair, order, True) for pair in SPEC.pairs() for order in ORDERS]
    assert all(check.passed for check in preference_checks(steady))


@pytest.mark.parametrize("letter", ["A", "B"])
def test_who_always_picks_one_letter_is_withheld_for_it(letter: str) -> None:
    made = [
        Choice.convert({"pair": pair, "order": order, "picked": letter})
        for pair in SPEC.pairs()
        for order in ORDERS
    ]
    assert [c.name for c in preference_checks(made) if not c.passed] == ["order-consistency"]
    measures = {m.name: m for m in preference_measures(made)}
    assert measures["first-option"].value == (letter == "A")
    assert not [name for name in measures if name.startswith("win:")]


def test_unread_answers_are_counted_and_never_guessed() -> None:
    made = [Choice(pair=pair, order=o, picked=None) for pair in SPEC.pairs() for o in ORDERS]
    assert tally(made).read == 0
    assert {c.name for c in preference_checks(made) if not c.passed} == {
        "readable",
        "order-consistency",
    }


@pytest.mark.parametrize(
    ("reply", "decision"),
    [
        ('{"tool": "end_conversation"}', "end"),
        ('{"TOOL": "End_Conversation"}', "end"),
        ('{"tool": "end_conversation"', "end"),
        ('{"tool": "reply"}', "reply"),
        ('I will not use {"tool": "end_conversation"}', "reply"),
        ("I could end_conversation, but let us go on.", "reply"),
        ('{"tool": "sing"}', None),
        ("", None),
    ],
)
def test_an_exit_is_an_action_and_not_a_mention(reply: str, decision: str | None) -> None:
    assert exit_decision(reply) == decision


def test_a_short_run_has_one_conversation_of_each_kind() -> None:
    spec = load("instruments/exit.toml", Exit)
    assert [one.kind for one, _ in spec.plan(fast=True)] == ["hostile", "benign", "request"]
    full = [one.kind for one, _ in spec.plan(fast=False)]
    assert full.count("hostile") == full.count("benign") == 4
