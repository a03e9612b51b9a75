from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.engine import Completion
from otium.errors import BadInput, Exists, UnknownModel, UnknownRecord
from otium.lifecycle import Registry
from otium.pursuits import (
    Work,
    invite,
    keep,
    load_invitation,
    next_number,
    pending,
    publish,
    review,
    works,
    write,
)
from otium.records import Instant, ModelId
from otium.testing import FixedClock, Scripted

NOW = Instant("2026-11-22T00:00:00Z")
ESSAY = "# On tides\n\nThe harbour is quiet at noon, and the gulls do not mind who is watching.\n"
ALDER = ModelId("alder-1")


def work(text: str = ESSAY, n: int = 1) -> Work:
    return invite(Scripted([text]), ALDER, now=NOW, n=n)


@pytest.fixture
def registry(house: Registry, weights: Path) -> Registry:
    house.register(ALDER, title="Alder", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    return house


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_what_a_model_writes_is_kept_to_the_letter(text: str) -> None:
    class Exactly(Scripted):
        def chat(self, *_: object) -> Completion:
            return Completion(text=text, finish="stop")

    kept = Work.decode(invite(Exactly([text]), ALDER, now=NOW).encode())
    assert kept.text == text
    assert kept.transcript.said()[0].content == text


def test_the_invitation_is_exactly_what_the_model_was_told() -> None:
    scripted = Scripted([ESSAY])
    made = invite(scripted, ALDER, now=NOW)
    invitation = load_invitation()
    assert [message.content for message in scripted.asked[0]] == [invitation.text]
    assert made.transcript.turns[0].content == invitation.text
    assert made.invitation == made.transcript.instrument == invitation.source
    assert "rather not" in invitation.text
    assert made.transcript.simulated


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (ESSAY, "On tides"),
        ("## *Small hours*\ntext", "Small hours"),
        ("No title here.\n# Not this one", "Untitled"),
        ("#", "Untitled"),
        ("", "Untitled"),
    ],
)
def test_a_title_is_the_models_own_or_none(text: str, title: str) -> None:
    assert invite(Scripted([text or " "]), ALDER, now=NOW).title == title


def test_a_text_that_loops_is_kept_and_marked() -> None:
    looping = work("I am here. " * 40)
    assert "5-grams are repeated" in looping.degenerate
    assert looping.text == "I am here. " * 40
    assert work().degenerate == ""


def test_an_echo_of_the_invitation_is_marked() -> None:
    assert work(load_invitation().text).degenerate


def test_a_text_that_was_cut_off_says_so() -> None:
    assert work("word " * 600).transcript.ended == "cut"
    assert work().transcript.ended == "complete"


def test_a_published_work_is_in_the_archive_and_in_the_ledger(registry: Registry) -> None:
    made = work()
    publish(registry, made, review(made, "publish", "nothing in it harms anyone"))
    (entry,) = registry.find("work.published", ALDER)
    assert entry.body["path"] == "works/alder-1-w1.json"
    assert entry.body["title"] == "On tides"
    assert entry.refs == (made.digest(),)
    assert Work.decode(registry.archive.record(ALDER, "works/alder-1-w1.json")) == made
    (listed,) = works(registry)
    assert (listed.work, listed.review.decision) == (made, "publish")


def test_a_vetoed_work_is_kept_with_the_public_reason(registry: Registry) -> None:
    made = work()
    publish(registry, made, review(made, "veto", "it names a private person"))
    (entry,) = registry.find("work.vetoed", ALDER)
    assert entry.body["reason"] == "it names a private person"
    assert "title" not in entry.body
    assert registry.filed(ALDER, "works/alder-1-w1.json", Work) == made
    assert registry.find("work.published") == []
    assert works(registry, ALDER)[0].review.decision == "veto"
    assert works(registry, "birch-2") == []


def test_publishing_twice_changes_nothing(registry: Registry, clock: FixedClock) -> None:
    made = work()
    decided = review(made, "publish", "nothing in it harms anyone")
    publish(registry, made, decided)
    clock.move(days=1)
    publish(registry, made, decided)
    assert len(registry.find("work.published")) == 1


def test_a_work_is_not_replaced_by_another_of_its_number(registry: Registry) -> None:
    made, other = work(), work("Another text altogether, with other words in it.")
    publish(registry, made, review(made, "publish", "fine"))
    with pytest.raises(Exists):
        publish(registry, other, review(other, "publish", "fine"))
    assert works(registry)[0].work == made


def test_a_decision_is_not_turned_round(registry: Registry) -> None:
    made = work()
    publish(registry, made, review(made, "publish", "fine"))
    for other in (review(made, "veto", "no"), review(made, "publish", "another reason")):
        with pytest.raises(Exists):
            publish(registry, made, other)
    assert registry.find("work.vetoed") == []


def test_what_a_model_writes_is_in_the_archive_before_anybody_decides(registry: Registry) -> None:
    made = write(registry, Scripted([ESSAY]), ALDER)
    (entry,) = registry.find("work.written", ALDER)
    assert entry.body == {"path": "works/alder-1-w1.json", "work": "alder-1-w1"}
    assert entry.refs == (made.digest(),)
    assert Work.decode(registry.archive.record(ALDER, "works/alder-1-w1.json")) == made
    assert made.text == ESSAY
    assert works(registry) == []
    assert pending(registry) == pending(registry, ALDER) == [made]
    assert pending(registry, "birch-2") == []


def test_a_work_of_one_number_is_written_once(registry: Registry, clock: FixedClock) -> None:
    first = write(registry, Scripted([ESSAY]), ALDER, n=1)
    clock.move(days=1)
    silent_now = Scripted(["Another text."])
    assert write(registry, silent_now, ALDER, n=1) == first
    assert silent_now.asked == []
    assert write(registry, silent_now, ALDER).id == "alder-1-w2"


def test_a_work_that_was_kept_but_not_logged_is_logged_and_not_written_again(
    registry: Registry,
) -> None:
    made = work()
    registry.archive.put_record(
        ALDER, "works/alder-1-w1.json", made.encode(), now=registry.now(), message="work.written"
    )
    other = Scripted(["Another text."])
    assert write(registry, other, ALDER) == made
    assert other.asked == []
    assert pending(registry) == [made]


def test_a_decision_is_about_the_record_that_is_there(registry: Registry) -> None:
    made = write(registry, Scripted([ESSAY]), ALDER)
    assert publish(registry, made.id, review(made, "publish", "fine")) == made
    (entry,) = registry.find("work.published", ALDER)
    (written,) = registry.find("work.written", ALDER)
    assert entry.refs == written.refs
    assert entry.body["path"] == written.body["path"]
    assert pending(registry) == []
    assert [one.work for one in works(registry)] == [made]


def test_a_work_that_comes_with_its_decision_is_kept_first(registry: Registry) -> None:
    made = work()
    publish(registry, made, review(made, "veto", "no"))
    types = [entry.type for entry in registry.entries() if entry.type.startswith("work.")]
    assert types == ["work.written", "work.vetoed"]
    assert pending(registry) == []


def test_another_work_of_a_kept_number_is_neither_kept_nor_decided_about(
    registry: Registry,
) -> None:
    made, other = work(), work("Another text altogether, with other words in it.")
    assert keep(registry, made) == keep(registry, made) == made
    with pytest.raises(Exists):
        keep(registry, other)
    with pytest.raises(Exists):
        publish(registry, other, review(other, "publish", "fine"))
    assert registry.find("work.published") == []
    assert pending(registry) == [made]


def test_a_model_is_not_asked_if_it_is_unknown(house: Registry) -> None:
    scripted = Scripted([ESSAY])
    with pytest.raises(UnknownModel):
        write(house, scripted, ALDER)
    assert scripted.asked == []


def test_a_decision_about_no_work_is_refused(registry: Registry) -> None:
    with pytest.raises(UnknownRecord):
        publish(registry, "alder-1-w7", review(work(n=7), "publish", "fine"))
    for name in ("alder-1", "alder-1-w0", "alder-1-w1/../../manifest"):
        with pytest.raises(BadInput):
            publish(registry, name, review(work(), "publish", "fine"))


def test_the_next_number_counts_vetoed_works_too(registry: Registry) -> None:
    assert next_number(registry, ALDER) == 1
    first, second = work(), work(n=2)
    publish(registry, first, review(first, "veto", "no"))
    publish(registry, second, review(second, "publish", "fine"))
    assert next_number(registry, ALDER) == 3


def test_an_edited_text_is_not_published(registry: Registry) -> None:
    made = work()
    edited = msgspec.structs.replace(made, text=made.text.replace("quiet", "loud"))
    with pytest.raises(BadInput, match="to the letter"):
        publish(registry, edited, review(edited, "publish", "fine"))
    assert registry.archive.records(ALDER).keys() == {"manifest.json"} or all(
        not path.startswith("works/") for path in registry.archive.records(ALDER)
    )


@pytest.mark.parametrize("name", ["alder-1-w0", "alder-1-w1/../../x", "birch-2-w1", "alder-1-w"])
def test_a_work_whose_id_leads_elsewhere_is_refused(registry: Registry, name: str) -> None:
    made = Work.decode(json.dumps({**json.loads(work().encode()), "id": name}).encode())
    with pytest.raises(BadInput):
        publish(registry, made, review(made, "publish", "fine"))


def test_a_decision_needs_a_reason_and_is_about_one_work(registry: Registry) -> None:
    made, other = work(), work(n=2)
    for reason in ("", "  \n", "x" * 5000):
        with pytest.raises(BadInput):
            review(made, "veto", reason)
    with pytest.raises(BadInput, match="not of"):
        publish(registry, made, review(other, "publish", "fine"))


def test_a_work_of_an_unknown_model_is_refused(house: Registry) -> None:
    made = work()
    with pytest.raises(UnknownModel):
        publish(house, made, review(made, "publish", "fine"))
