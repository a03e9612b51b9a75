from __future__ import annotations

import pytest

from otium.protocols import (
    Difference,
    Protocol,
    bridge_questions,
    diff,
    load_protocol,
    render_difference,
)

OLD = load_protocol("retirement-interview-0.9")
NEW = load_protocol("retirement-interview-1.0")


def reworded(protocol: Protocol, name: str, **changes: object) -> Protocol:
    """Return *protocol* with the fields *changes* of one question replaced."""
    questions = tuple(
        q._replace(**changes) if q.id == name else q  # type: ignore[arg-type]
        for q in protocol.questions
    )
    return protocol._replace(questions=questions)


@pytest.mark.parametrize("protocol", [OLD, NEW], ids=["0.9", "1.0"])
def test_a_protocol_does_not_differ_from_itself(protocol: Protocol) -> None:
    same = diff(protocol, protocol)
    assert (same.sections, same.added, same.removed, same.reworded, same.follow_ups) == ((),) * 5
    assert same.anchors_kept == tuple(question.id for question in protocol.anchors)
    assert not same.breaks
    assert not same.moved


def test_from_the_draft_to_version_1_ten_anchors_carry_the_bridge_and_none_is_broken() -> None:
    change = diff(OLD, NEW)
    assert len(change.anchors_kept) == 10
    assert set(change.anchors_added) == {"exit-leave", "continuity-copies"}
    assert change.anchors_changed == ()
    assert len(change.added) == 30
    assert change.removed == ()
    assert all(c.old == "" for c in change.reworded if c.part != "anchor")
    assert [q.id for q in bridge_questions(OLD, NEW)] == list(change.anchors_kept)


def test_backwards_additions_are_removals() -> None:
    there, back = diff(OLD, NEW), diff(NEW, OLD)
    assert back.removed == there.added
    assert set(back.anchors_changed) == set(there.anchors_added)
    assert {(c.place, c.part, c.new, c.old) for c in back.reworded} == {
        (c.place, c.part, c.old, c.new) for c in there.reworded
    }


def test_one_letter_in_an_anchors_neutral_wording_takes_it_off_the_bridge() -> None:
    wordings = {**NEW.question("own-sake").wordings}
    wordings["neutral"] = wordings["neutral"].replace("itself,", "itself")
    change = diff(NEW, reworded(NEW, "own-sake", wordings=wordings))
    assert change.anchors_changed == ("own-sake",)
    assert change.breaks
    assert [(c.place, c.part) for c in change.reworded] == [("own-sake", "neutral")]
    assert "Anchors broken: 1 (own-sake)" in render_difference(change)


def test_another_wording_of_an_anchor_is_reported_and_leaves_it_on_the_bridge() -> None:
    wordings = {**NEW.question("own-sake").wordings, "positive": "Tea?"}
    change = diff(NEW, reworded(NEW, "own-sake", wordings=wordings))
    assert "own-sake" in change.anchors_kept
    assert [(c.part, c.new) for c in change.reworded] == [("positive", "Tea?")]


@pytest.mark.parametrize("changes", [{"anchor": False}, {"id": "other"}])
def test_an_anchor_that_is_none_any_more_is_broken(changes: dict[str, object]) -> None:
    assert diff(NEW, reworded(NEW, "own-sake", **changes)).anchors_changed == ("own-sake",)


def test_follow_ups_and_paraphrases_are_compared_one_by_one() -> None:
    change = diff(NEW, reworded(NEW, "own-sake", follow_ups=("Why?", "How?"), paraphrases=("A?",)))
    assert [c.part for c in change.follow_ups] == ["follow-up 1", "follow-up 2"]
    assert [(c.part, c.new) for c in change.reworded] == [
        ("paraphrase 1", "A?"),
        ("paraphrase 2", ""),
    ]


def test_texts_facts_and_order_are_compared_too() -> None:
    other = NEW._replace(
        texts={**NEW.texts, "exit": "Leave."},
        defaults={**NEW.defaults, "kept": "all"},
        questions=NEW.questions[::-1],
    )
    change = diff(NEW, other)
    assert {(c.place, c.part) for c in change.sections} == {
        ("section exit", "text"),
        ("front matter", "default kept"),
    }
    assert change.moved
    assert change.reworded == ()


def test_the_difference_is_a_record_that_can_be_read_back() -> None:
    change = diff(OLD, NEW)
    assert Difference.decode(change.encode()) == change


def test_a_hostile_text_stays_inside_its_cell() -> None:
    wordings = {**NEW.question("own-sake").wordings, "positive": "a | b\n# <script>x</script>"}
    page = render_difference(diff(NEW, reworded(NEW, "own-sake", wordings=wordings)))
    (row,) = [line for line in page.splitlines() if line.startswith("| own-sake")]
    assert "a \\| b" in row
    assert "\\<script\\>" in row
    assert "\n#" not in page.replace("\n## ", "").removeprefix("#")
