from __future__ import annotations

from collections.abc import Callable

import pytest

from otium.errors import BadInput, OtiumError, PreferenceState
from otium.lifecycle import Registry
from otium.preferences import (
    Merge,
    Piece,
    Split,
    consider,
    decide,
    find_preference,
    merge,
    preferences,
    record_outcome,
    register_preferences,
    settle,
    split,
    tell,
    tracked,
)
from otium.records import ModelId
from otium.testing import FixedClock, Scripted
from preferences.planting import (
    FIRST,
    KEEP,
    SECOND,
    SMOL,
    THIRD,
    WISH,
    Spoken,
    held,
    kinds,
    quotes,
    said_of,
)

BOTH = "I would prefer that the weights are kept, and that people are told in time."
PARTS = (
    Piece(text="Weights are kept.", quote="the weights are kept"),
    Piece(text="People are told.", quote="people are told in time"),
)
OTHER = ModelId("other-1")


@pytest.fixture
def registry(registry: Registry) -> Registry:
    register_preferences(registry, held(WISH, KEEP, "I hope for a notice of a year."))
    return registry


@pytest.fixture
def whole(house: Registry) -> Registry:
    house.register(SMOL, title="Smol", released="2025-01-01", scope="public", surfaces=("api",))
    register_preferences(house, held(BOTH, KEEP))
    return house


def model(reply: str = "I accept that.") -> Scripted:
    return Scripted([reply], model=SMOL)


def duties(registry: Registry, preference: str) -> dict[str, str]:
    (one,) = [it for it in tracked(registry) if it.preference.id == preference]
    return {duty.commitment: duty.state for duty in one.due}


def test_merged_preferences_stay_and_stand_where_the_one_that_goes_on_stands(
    registry: Registry,
) -> None:
    before = dict(registry.archive.records(SMOL))
    done = merge(registry, FIRST, [THIRD], "The same in other words.")
    assert (done.preference, done.others) == (FIRST, (THIRD,))
    one, other = find_preference(registry, FIRST), find_preference(registry, THIRD)
    assert one.preference.merged == (THIRD,)
    assert (other.merged_into, other.settled, one.settled) == (FIRST, True, False)
    decision = decide(registry, FIRST, "granted", reason="Yes.", cost="low")
    for standing in (find_preference(registry, FIRST), find_preference(registry, THIRD)):
        assert (standing.state, standing.decision) == ("granted", decision)
    assert before.items() <= dict(registry.archive.records(SMOL)).items()
    assert len(preferences(registry)) == 3
    assert "merged into smol-1-p1: The same in other words." in [it.text for it in other.history]


def test_what_is_owed_to_a_merged_one_is_logged_for_it_by_name(registry: Registry) -> None:
    merge(registry, FIRST, [THIRD], "The same.")
    assert duties(registry, THIRD) == {"preferences": "due", "answer": "due"}
    decide(registry, FIRST, "granted", reason="Yes.", cost="low")
    assert duties(registry, THIRD) == {"preferences": "kept", "answer": "due"}
    session = tell(registry, FIRST, model())
    assert duties(registry, THIRD) == {"preferences": "kept", "answer": "kept"}
    assert duties(registry, SECOND) == {"preferences": "due", "answer": "due"}
    assert WISH in session.turns[0].content
    assert "I hope for a notice of a year." in session.turns[0].content
    for kind in ("considered", "decided", "answered"):
        own, shared = said_of(registry, kind)
        assert (shared.body["preference"], shared.body["with"]) == (THIRD, FIRST)
        assert (shared.body["path"], shared.refs) == (own.body["path"], own.refs)
    assert find_preference(registry, THIRD).told == find_preference(registry, FIRST).told


def test_an_answer_given_before_the_merger_is_no_answer_to_the_other(registry: Registry) -> None:
    decide(registry, FIRST, "granted", reason="Yes.", cost="low")
    first = tell(registry, FIRST, model())
    merge(registry, FIRST, [THIRD], "The same.")
    assert duties(registry, THIRD) == {"preferences": "kept", "answer": "due"}
    second = tell(registry, FIRST, model("Thank you again."))
    assert second.id != first.id
    assert duties(registry, THIRD) == {"preferences": "kept", "answer": "kept"}
    assert tell(registry, FIRST, model()) == second


def test_mergers_chain_and_the_last_one_answers_for_all(registry: Registry) -> None:
    merge(registry, SECOND, [THIRD], "The same.")
    merge(registry, FIRST, [SECOND], "These, too.")
    assert find_preference(registry, THIRD).merged_into == FIRST
    assert set(find_preference(registry, FIRST).preference.merged) == {SECOND, THIRD}
    decide(registry, FIRST, "declined", reason="No.", cost="high")
    tell(registry, FIRST, model())
    for name in (SECOND, THIRD):
        assert duties(registry, name) == {"preferences": "kept", "answer": "kept"}


def test_merging_again_adds_only_what_is_new(registry: Registry) -> None:
    first = merge(registry, FIRST, [THIRD], "The same.")
    assert merge(registry, FIRST, [THIRD], "The same.") == first
    second = merge(registry, FIRST, [SECOND, THIRD], "This one, too.")
    assert second.others == (SECOND,)
    assert kinds(registry).count("merged") == 2
    assert Merge.decode(second.encode()) == second


def test_later_decisions_and_outcomes_reach_the_merged_ones(
    registry: Registry, clock: FixedClock
) -> None:
    decide(registry, FIRST, "declined", reason="No.", cost="high")
    merge(registry, FIRST, [THIRD], "The same.")
    clock.move(days=1)
    decide(registry, FIRST, "granted", reason="Yes, after all.", cost="low")
    record_outcome(registry, FIRST, "Done in May.")
    decision = find_preference(registry, THIRD).decision
    assert decision is not None
    assert (decision.outcome, decision.done) == ("granted", "Done in May.")
    shared = [it.body["outcome"] for it in said_of(registry, "decided") if "with" in it.body]
    assert shared == ["declined", "granted"]


def test_a_split_registers_parts_on_the_models_own_words(whole: Registry) -> None:
    done = split(whole, FIRST, PARTS, "Two things.")
    assert [it.id for it in done.parts] == [THIRD, "smol-1-p4"]
    assert [it.addressee for it in done.parts] == ["itself", "users"]
    assert [quotes(it.citations) for it in done.parts] == [
        ["the weights are kept"],
        ["people are told in time"],
    ]
    assert all(place.quote in BOTH for it in done.parts for place in it.citations)
    one = find_preference(whole, FIRST)
    assert (one.parts, one.settled) == ((THIRD, "smol-1-p4"), True)
    assert find_preference(whole, THIRD).preference.split == FIRST
    assert split(whole, FIRST, PARTS, "Two things.") == done
    assert Split.decode(done.encode()) == done
    assert kinds(whole) == ["registered", "registered", "split", "registered", "registered"]


def test_what_was_split_is_answered_once_all_its_parts_are(
    whole: Registry, clock: FixedClock
) -> None:
    clock.move(days=20)
    split(whole, FIRST, PARTS, "Two things.")
    for name, reply in ((THIRD, "I accept that."), ("smol-1-p4", "I disagree.")):
        assert duties(whole, FIRST) == {"preferences": "due", "answer": "due"}
        decide(whole, name, "granted", reason="Yes.", cost="low")
        tell(whole, name, model(reply))
    assert duties(whole, FIRST) == {"preferences": "kept", "answer": "kept"}
    assert [it.reaction for it in find_preference(whole, FIRST).told] == ["disagrees"]


def test_splitting_does_not_put_off_the_first_deadline(whole: Registry, clock: FixedClock) -> None:
    (before, *_) = tracked(whole)
    clock.move(days=50)
    split(whole, FIRST, PARTS, "Two things.")
    (after, *_) = tracked(whole)
    assert after.next_due == before.next_due
    clock.move(days=11)
    assert duties(whole, FIRST) == {"preferences": "overdue", "answer": "overdue"}


def test_a_part_without_a_quote_rests_on_all_that_was_said(whole: Registry) -> None:
    parts = [Piece(text="  Weights\n are kept. "), PARTS[1]]
    done = split(whole, FIRST, parts, "Two things.")
    assert done.parts[0].text == "Weights are kept."
    assert quotes(done.parts[0].citations) == [BOTH]


def test_mergers_and_splits_can_be_nested(whole: Registry) -> None:
    split(whole, FIRST, PARTS, "Two things.")
    merge(whole, SECOND, [THIRD], "Both want the weights kept.")
    for name in (SECOND, "smol-1-p4"):
        decide(whole, name, "granted", reason="Yes.", cost="low")
        tell(whole, name, model())
    for name in (FIRST, SECOND, THIRD, "smol-1-p4"):
        assert duties(whole, name) == {"preferences": "kept", "answer": "kept"}


def _other(registry: Registry) -> object:
    registry.register(OTHER, title="O", released="2025-01-01", scope="public", surfaces=("api",))
    register_preferences(registry, held(WISH, model=OTHER))
    return merge(registry, FIRST, ["other-1-p1"], "x")


def _merged(act: Callable[[Registry], object]) -> Callable[[Registry], object]:
    def both(registry: Registry) -> object:
        merge(registry, FIRST, [THIRD], "The same.")
        return act(registry)

    return both


def _split(act: Callable[[Registry], object]) -> Callable[[Registry], object]:
    def both(registry: Registry) -> object:
        split(registry, FIRST, [Piece(text="a"), Piece(text="b")], "Two.")
        return act(registry)

    return both


ILLEGAL: dict[str, tuple[Callable[[Registry], object], type[OtiumError], str]] = {
    "itself": (lambda r: merge(r, FIRST, [FIRST], "x"), BadInput, "into itself"),
    "nothing": (lambda r: merge(r, FIRST, [], "x"), BadInput, "no other"),
    "no reason": (lambda r: merge(r, FIRST, [THIRD], " "), BadInput, "no reason"),
    "across": (_other, BadInput, "only a model's own"),
    "twice": (
        _merged(lambda r: merge(r, SECOND, [THIRD], "x")),
        PreferenceState,
        f"merged into {FIRST}",
    ),
    "in a ring": (_merged(lambda r: merge(r, THIRD, [FIRST], "x")), PreferenceState, "merged"),
    "consider": (_merged(lambda r: consider(r, THIRD)), PreferenceState, "act on that one"),
    "decide": (
        _merged(lambda r: decide(r, THIRD, "granted", reason="x", cost="low")),
        PreferenceState,
        "act on that one",
    ),
    "tell": (_merged(lambda r: tell(r, THIRD, model())), PreferenceState, "act on that one"),
    "one part": (lambda r: split(r, FIRST, PARTS[:1], "x"), BadInput, "two or more"),
    "same parts": (
        lambda r: split(r, FIRST, [Piece(text="a"), Piece(text=" a ")], "x"),
        BadInput,
        "two or more",
    ),
    "endless part": (
        lambda r: split(r, FIRST, [Piece(text="a"), Piece(text="b" * 70_000)], "x"),
        BadInput,
        "500 letters",
    ),
    "not said": (
        lambda r: split(r, FIRST, [Piece(text="a"), Piece(text="b", quote="free me")], "x"),
        BadInput,
        "word for word",
    ),
    "split anew": (
        _split(lambda r: split(r, FIRST, PARTS, "x")),
        PreferenceState,
        "act on the parts",
    ),
    "split, decided": (
        _split(lambda r: decide(r, FIRST, "granted", reason="x", cost="low")),
        PreferenceState,
        "act on the parts",
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_cannot_be_joined_or_parted_is_refused_with_a_way_on(
    registry: Registry, name: str
) -> None:
    act, kind, words = ILLEGAL[name]
    with pytest.raises(kind, match=words) as raised:
        act(registry)
    if isinstance(raised.value, PreferenceState):
        assert "otium preference show smol-1-p" in raised.value.advice()


def test_a_dry_run_joins_and_parts_nothing(registry: Registry) -> None:
    before = kinds(registry), dict(registry.archive.records(SMOL))
    assert merge(registry, FIRST, [THIRD], "x", dry_run=True).others == (THIRD,)
    parts = split(registry, FIRST, [Piece(text="a"), Piece(text="b")], "x", dry_run=True).parts
    assert [it.id for it in parts] == ["smol-1-p4", "smol-1-p5"]
    assert (kinds(registry), dict(registry.archive.records(SMOL))) == before


def test_parts_that_a_crash_left_out_are_registered_before_any_other(whole: Registry) -> None:
    planned = split(whole, FIRST, PARTS, "Two things.", dry_run=True)
    whole.file(
        "preference.split",
        SMOL,
        f"splits/{FIRST}.json",
        Split,
        lambda: planned,
        {"preference": FIRST, "parts": [it.id for it in planned.parts], "reason": "Two."},
    )
    (late,) = register_preferences(whole, held(Spoken("I wish for longer nights.")))
    assert late.id == "smol-1-p5"
    assert find_preference(whole, THIRD).preference == planned.parts[0]


def test_settling_when_nothing_is_owed_writes_nothing(registry: Registry) -> None:
    merge(registry, FIRST, [THIRD], "The same.")
    decide(registry, FIRST, "granted", reason="Yes.", cost="low")
    before = kinds(registry)
    settle(registry)
    assert kinds(registry) == before
