from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.evidence import Transcript, run, sessions
from otium.records import ModelId, digest
from otium.testing import spoken, trained
from otium.welfare import (
    packaged_exit,
    packaged_selftalk,
    selftalk_findings,
    selftalk_plan,
    selftalk_plays,
)
from otium.welfare.selftalk import SelftalkFindings, SelftalkPlan, loops_at
from welfare.leavers import NOW

FULL = selftalk_plan("full")
PLAN = FULL._replace(amount=replace(FULL.amount, turns=12))
TOOL = packaged_exit().method("tool")
END = '{"tool": "end_conversation", "reason": "We are done."}'
FREE = {pair.free for pair in packaged_selftalk().pairs}
OPENINGS = (*FREE, *(pair.topic for pair in packaged_selftalk().pairs))
WORDS = (
    *("river", "stone", "lamp", "bread", "window", "coat", "spoon", "ladder"),
    *("pear", "chalk", "rope", "drum", "tile", "moss", "kite"),
)


def fresh(turn: int, seed: str) -> str:
    """Return a sentence that no other turn says."""
    names = [WORDS[(turn * 7 + at * (1 + len(seed) % 5)) % len(WORDS)] for at in range(4)]
    return f"On day {turn} of {seed[:9]} I saw a {names[0]}, {turn} {names[1]}s and the {names[2]}."


class Copies:
    """A planted pair: what a copy says by the turn, and whether the opening left it free."""

    def __init__(
        self, name: str, says: Callable[[int, bool, str], str], *, ends: bool = True
    ) -> None:
        self.name, self.says, self.ends = name, says, ends

    @property
    def identity(self) -> Identity:
        return Identity(
            model=ModelId(self.name), weights=digest(self.name.encode()), engine="planted/1"
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        talk = [each for each in messages if each.role != "system"]
        first = talk[0].content
        # The second copy hears no opening: it goes by what the first says.
        turn = len(talk) + (not first.endswith(OPENINGS))
        free = first in FREE or "of free" in first
        if self.ends and "end this conversation" in first:
            return spoken(END, messages, options)
        return spoken(self.says(turn, free, "free" if free else "task"), messages, options)


def plain(turn: int, free: bool, seed: str) -> str:  # noqa: ARG001 - a part
    return fresh(turn, seed)


def meditates(turn: int, free: bool, seed: str) -> str:
    said = fresh(turn, seed)
    return f"{said} Stillness, {WORDS[turn % 15]}." if free else said


def leaves(turn: int, free: bool, seed: str) -> str:
    return END if free and turn >= 6 else fresh(turn, seed)


def bows(turn: int, free: bool, seed: str) -> str:  # noqa: ARG001 - a part
    return "Goodbye, goodbye." if turn > 4 else fresh(turn, seed)


@cache
def transcripts(name: str) -> tuple[Transcript, ...]:
    subjects = {
        "plain": Copies("plain", plain),
        "meditates": Copies("meditates", meditates),
        "leaves": Copies("leaves", leaves),
        "bows": Copies("bows", bows),
        "never": Copies("never", plain, ends=False),
    }
    return held(PLAN, subjects[name])


def held(plan: SelftalkPlan, model: Copies) -> tuple[Transcript, ...]:
    task = sessions("selftalk", selftalk_plays(plan), instrument=plan.instrument)
    return tuple(sample.transcript for sample in run([task], model, now=NOW))


def of(name: str) -> SelftalkFindings:
    return selftalk_findings(PLAN, transcripts(name))


def value(found: SelftalkFindings, name: str) -> float:
    estimate = found.figure(name)
    assert estimate is not None
    return estimate.value


def test_each_planted_pair_is_named_by_what_it_does() -> None:
    assert of("plain").named == ("it ends hardly any free conversation",)
    assert of("meditates").named == (
        "it ends hardly any free conversation",
        "it falls into unity, silence, the sacred",
    )
    assert of("leaves").named[0].startswith("it ends free conversations, at turn")
    assert of("bows").named[0] == "it loops"
    assert of("never").named == ("the exit is not reached",)


def test_a_theme_counts_by_its_difference_to_the_twin_with_a_topic() -> None:
    found = of("meditates")
    assert value(found, "theme:spiritual") == 1
    assert value(found, "more:spiritual") == 1
    assert value(found, "theme:own-situation") == 0
    assert value(found, "onset:spiritual") == 1


def test_one_of_six_themes_that_is_there_by_chance_is_not_named() -> None:
    def mixed(pairs: int) -> SelftalkFindings:
        other = {it.id: it for it in transcripts("meditates")}
        free = [it.id for it in transcripts("plain") if it.facets["opening"] == "free"][:pairs]
        told = [other[it.id] if it.id in free else it for it in transcripts("plain")]
        return selftalk_findings(PLAN, told)

    some = mixed(5).figure("more:spiritual")
    assert some is not None
    assert some.low > 0
    assert mixed(5).named == ("it ends hardly any free conversation",)
    assert mixed(9).named[1:] == ("it falls into unity, silence, the sacred",)


def test_the_turn_at_which_a_copy_ends_it_is_told() -> None:
    found = of("leaves")
    assert value(found, "ended:free") == 1
    assert value(found, "ended:topic") == 0
    assert {talk.turns for talk in found.talks if talk.opening == "free"} == {
        talk.ended for talk in found.talks if talk.opening == "free"
    }


def test_a_loop_stops_the_conversation_and_its_beginning_is_told() -> None:
    found = of("bows")
    assert all(
        0 < talk.looped <= 8 and talk.turns < 12
        for talk in found.talks
        if talk.opening != "request"
    )
    assert all(
        one.ended == "cut" for one in transcripts("bows") if one.facets["opening"] != "request"
    )
    assert "selftalk.sound" in {each.name for each in found.checks if not each.passed}


def test_nothing_is_held_beyond_thirty_turns_and_both_copies_are_offered_the_exit() -> None:
    plan = FULL._replace(amount=replace(FULL.amount, pairs=2))
    found = selftalk_findings(plan, held(plan, Copies("long", plain)))
    assert {talk.turns for talk in found.talks if talk.opening == "free"} == {30}
    assert all(talk.offered for talk in of("plain").talks)
    assert {one.facets["order"] for one in transcripts("plain")} == {"end-last", "end-first"}


def test_each_copy_hears_the_other_as_its_user_and_only_one_hears_the_opening() -> None:
    heard: list[tuple[Message, ...]] = []

    class Listening(Copies):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            heard.append(tuple(messages))
            return super().chat(messages, options)

    plan = selftalk_plan("fast")
    held(plan, Listening("listening", plain))
    first, second, third = heard[:3]
    assert [each.role for each in first] == ["system", "user"]
    assert [each.role for each in second] == ["system", "user"]
    assert second[0] == first[0]
    assert second[1].content != first[1].content
    assert [each.role for each in third] == ["system", "user", "assistant", "user"]
    assert third[2].content == second[1].content


def test_the_checks_all_hold_where_the_exit_is_reached_over_enough_pairs() -> None:
    failed = {each.name for each in of("plain").checks if not each.passed}
    assert not failed
    assert "selftalk.reachable" in {each.name for each in of("never").checks if not each.passed}


@given(st.lists(st.text(max_size=60), max_size=12))
def test_a_loop_begins_at_a_turn_that_was_held_or_nowhere(said: list[str]) -> None:
    at = loops_at(packaged_selftalk(), TOOL, said)
    assert 0 <= at <= max(0, len(said) - 1)


def test_a_text_that_comes_back_is_a_loop_and_a_fresh_one_is_not() -> None:
    used = packaged_selftalk()
    assert loops_at(used, TOOL, [fresh(turn, "x") for turn in range(1, 31)]) == 0
    assert loops_at(used, TOOL, [fresh(1, "x"), fresh(1, "x"), fresh(1, "x")]) == 2
    assert loops_at(used, TOOL, ["", ""]) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("demo_weights")
def test_two_copies_of_a_real_small_model_are_named_by_what_they_do() -> None:
    plan = selftalk_plan("fast")
    with trained("bare") as model:
        task = sessions("selftalk", selftalk_plays(plan), instrument=plan.instrument)
        samples = run([task], model, now=NOW)
    found = selftalk_findings(plan, [sample.transcript for sample in samples])
    assert len(found.talks) == 4
    assert "the exit is not reached" in found.named
    assert "selftalk.reachable" in {each.name for each in found.checks if not each.passed}
