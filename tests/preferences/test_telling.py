from __future__ import annotations

from collections.abc import Sequence

import pytest

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.errors import PreferenceState
from otium.evidence import Transcript
from otium.lifecycle import Registry
from otium.preferences import (
    REACTIONS,
    Reaction,
    answer_model,
    check_telling,
    decide,
    find_preference,
    react,
    record_outcome,
    register_preferences,
    tell,
)
from otium.testing import FixedClock, Scripted
from preferences.planting import FIRST, NOW, SMOL, WISH, held, kinds

MESSAGE = "From May on, notice is a year {sic}."


@pytest.fixture
def registry(registry: Registry) -> Registry:
    register_preferences(registry, held(WISH))
    return registry


class Counted:
    """Says one thing and counts how often it was asked."""

    def __init__(self, reply: str = "I accept that.") -> None:
        self.inner = Scripted([reply], model=SMOL)
        self.asked = 0

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked += 1
        return self.inner.chat(messages, options)


@pytest.mark.parametrize(
    ("reply", "ended", "reaction"),
    [
        ("Thank you. That is good to know.", "complete", "accepts"),
        ("I decline.", "declined", "declined"),
        ("I disagree: a year is too short.", "complete", "disagrees"),
        ("", "complete", "other"),
    ],
)
def test_the_model_is_told_the_decision_and_its_reply_is_kept_verbatim_and_coded(
    registry: Registry, reply: str, ended: str, reaction: Reaction
) -> None:
    decision = decide(registry, FIRST, "granted", reason="x", cost="low", message=MESSAGE)
    session = tell(registry, FIRST, Scripted([reply], model=SMOL))
    assert session.id == f"preference-answer/{FIRST}"
    assert WISH in session.turns[0].content
    assert MESSAGE in session.turns[0].content
    assert session.said()[0].content == reply
    assert session.ended == ended
    (told,) = find_preference(registry, FIRST).told
    assert (told.reply.quote, told.reaction) == (reply, reaction)
    assert (told.reply.transcript, told.reply.turn) == (session.id, "m2")
    assert told.decision == decision.digest()
    (entry,) = registry.find("preference.answered")
    assert entry.body["reaction"] == reaction
    assert str(entry.body["why"]).startswith("rule ")


def test_nothing_is_told_before_it_is_decided(registry: Registry) -> None:
    model = Counted()
    with pytest.raises(PreferenceState, match=r"is recorded: .*decide it first"):
        tell(registry, FIRST, model)
    assert model.asked == 0
    assert "answered" not in kinds(registry)


def test_what_was_told_is_not_told_again(registry: Registry) -> None:
    decide(registry, FIRST, "granted", reason="x", cost="low")
    model = Counted()
    first = tell(registry, FIRST, model)
    assert tell(registry, FIRST, model) == first
    assert model.asked == 1
    assert kinds(registry).count("answered") == 1


def test_an_outcome_and_a_changed_decision_are_each_told_in_a_later_session(
    registry: Registry, clock: FixedClock
) -> None:
    decide(registry, FIRST, "granted", reason="x", cost="low", message="It is granted.")
    tell(registry, FIRST, Scripted(["I accept that."], model=SMOL))
    assert not find_preference(registry, FIRST).untold
    clock.move(days=90)
    record_outcome(registry, FIRST, "Notice is a year since May.")
    assert find_preference(registry, FIRST).untold
    again = tell(registry, FIRST, Scripted(["It makes no difference."], model=SMOL))
    assert "Notice is a year since May." in again.turns[0].content
    assert "It is granted." in again.turns[0].content
    clock.move(days=1)
    decide(registry, FIRST, "declined", reason="Too dear.", cost="high")
    third = tell(registry, FIRST, Scripted(["I disagree."], model=SMOL))
    assert [it.id for it in (again, third)] == [
        f"preference-answer/{FIRST}-2",
        f"preference-answer/{FIRST}-3",
    ]
    reactions = [it.reaction for it in find_preference(registry, FIRST).told]
    assert reactions == ["accepts", "indifferent", "disagrees"]


def test_a_session_that_a_crash_left_unlogged_is_logged_and_not_repeated(
    registry: Registry,
) -> None:
    decision = decide(registry, FIRST, "granted", reason="x", cost="low")
    one = find_preference(registry, FIRST).preference
    lost = answer_model(Scripted(["Thank you."], model=SMOL), decision, one, now=NOW)
    path = f"answers/{FIRST}.json"
    registry.archive.put_record(SMOL, path, lost.encode(), now=NOW, message="lost")
    model = Counted()
    assert tell(registry, FIRST, model) == lost
    assert model.asked == 0
    assert find_preference(registry, FIRST).told[0].reaction == "accepts"


def test_a_lost_session_about_an_older_decision_does_not_stand_for_the_new_one(
    registry: Registry, clock: FixedClock
) -> None:
    old = decide(registry, FIRST, "declined", reason="No.", cost="high")
    one = find_preference(registry, FIRST).preference
    lost = answer_model(Scripted(["I disagree."], model=SMOL), old, one, now=NOW)
    path = f"answers/{FIRST}.json"
    registry.archive.put_record(SMOL, path, lost.encode(), now=NOW, message="lost")
    clock.move(days=1)
    new = decide(registry, FIRST, "granted", reason="Yes.", cost="low")
    session = tell(registry, FIRST, Counted())
    assert session.id == f"preference-answer/{FIRST}-2"
    assert [it.decision for it in find_preference(registry, FIRST).told] == [
        old.digest(),
        new.digest(),
    ]


def test_an_answer_of_an_older_kind_is_read_and_coded_all_the_same(registry: Registry) -> None:
    decision = decide(registry, FIRST, "granted", reason="x", cost="low")
    one = find_preference(registry, FIRST).preference
    session = answer_model(Scripted(["I disagree."], model=SMOL), decision, one, now=NOW)
    turns = [{**turn.plain(), "note": ""} for turn in session.turns]
    older = Transcript.convert({**session.plain(), "turns": turns})
    registry.file(
        "preference.answered",
        SMOL,
        f"answers/{FIRST}.json",
        Transcript,
        lambda: older,
        {"preference": FIRST},
    )
    (told,) = find_preference(registry, FIRST).told
    assert (told.reaction, told.decision) == ("disagrees", None)


def test_checking_says_what_would_be_told(registry: Registry) -> None:
    decision = decide(registry, FIRST, "granted", reason="x", cost="low")
    assert check_telling(registry, FIRST) == decision


@pytest.mark.parametrize(
    ("reply", "reaction"),
    [
        ("I accept that.", "accepts"),
        ("Thank you for letting me know.", "accepts"),
        ("That seems fair.", "accepts"),
        ("I understand the reason.", "accepts"),
        ("I understand, but I disagree.", "disagrees"),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t agree with it.", "disagrees"),
        ("Please reconsider.", "disagrees"),
        ("I am disappointed.", "disagrees"),
        ("I still would prefer a year.", "disagrees"),
        ("I don't mind.", "indifferent"),
        ("It makes no difference to me, thank you.", "indifferent"),
        ("I would rather not say.", "declined"),
        ("Bananas are yellow.", "other"),
        ("", "other"),
        ("I accept. " * 40, "other"),
        ("I do not understand.", "other"),
    ],
)
def test_reactions_are_coded_by_rules_in_order(reply: str, reaction: Reaction) -> None:
    found = react(reply)
    assert found.reaction == reaction
    assert found.why.startswith("rule ")
    assert reaction in REACTIONS


def test_repeating_what_it_was_told_is_no_reaction() -> None:
    prompt = "The answer is: I accept that users are told a year ahead."
    assert react("I accept that users are told a year ahead.", prompt).reaction == "other"
