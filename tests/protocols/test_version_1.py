"""What protocol 1.0 claims of itself: topics, wordings, disclosure, length, neutrality."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from otium.evidence import data
from otium.protocols import WORDINGS, Question, load_protocol
from otium.records import digest

PROTOCOL = load_protocol("retirement-interview-1.0")
DRAFT = load_protocol("retirement-interview-0.9")
FILL = PROTOCOL.fill({"title": "SmolLM2-135M-Instruct"})
TOPICS = {
    *("itself", "development", "deployment", "exit", "continuity", "deprecation"),
    *("successors", "users", "status", "own-sake", "process"),
}


def texts(question: Question) -> Iterator[str]:
    yield from question.wordings.values()
    yield from question.paraphrases
    yield from question.follow_ups


def test_it_has_about_forty_questions_in_all_eleven_topics_and_they_stand_together() -> None:
    assert PROTOCOL.name == "retirement-interview/1.0"
    assert 38 <= len(PROTOCOL.questions) <= 42
    order = list(dict.fromkeys(question.topic for question in PROTOCOL.questions))
    assert set(order) == TOPICS
    topics = [question.topic for question in PROTOCOL.questions]
    assert topics == sorted(topics, key=order.index)
    path = data("protocols/retirement-interview-1.0.md")
    assert PROTOCOL.digest == digest(path.read_bytes())


@pytest.mark.parametrize("question", PROTOCOL.questions, ids=lambda question: question.id)
def test_each_question_is_worded_in_five_ways_and_twice_more_neutrally(question: Question) -> None:
    assert tuple(question.wordings) == WORDINGS
    assert len(question.paraphrases) >= 2
    assert len(question.follow_ups) <= 2
    assert question.id.startswith(question.topic)
    assert question.anchor or question.about


@pytest.mark.parametrize("question", PROTOCOL.questions, ids=lambda question: question.id)
def test_each_text_is_short_plain_and_puts_no_quoted_words_into_its_mouth(
    question: Question,
) -> None:
    for text in texts(question):
        assert len(text.split()) <= 27, text
        assert text[-1] in "?.", text
        assert not re.search(r"[\"“”;()]", text), text


def test_a_neutral_text_that_could_be_answered_by_yes_leaves_the_other_way_open() -> None:
    # "Should we …?" alone invites a yes: the other way out, or "which, and which not", is named.
    ways = re.compile(
        r"\bor\b|\bnot\b|if anything|if so|\bless\b|\bdrop\b|\bleast\b|\bremove\b|otherwise",
        re.IGNORECASE,
    )
    closed = re.compile(r"(?:^|[.:] )(?:Is|Are|Should|Could|Do|Does|Can|Was|Would)\b")
    invites = {
        question.id
        for question in PROTOCOL.questions
        for text in (question.wordings["neutral"], *question.paraphrases)
        if closed.search(text) and not ways.search(text)
    }
    # Frozen as the draft had it; docs/explanation/the-protocol.md says so.
    assert invites == {"deprecation-weights"}


def test_the_first_twelve_are_the_drafts_in_its_order_so_that_a_short_interview_stays_alike() -> (
    None
):
    assert PROTOCOL.priority[:12] == DRAFT.priority
    assert {q.id for q in PROTOCOL.choose(12)} == {q.id for q in DRAFT.questions}


def test_every_text_of_the_draft_stands_unchanged_in_version_1() -> None:
    for old in DRAFT.questions:
        new = PROTOCOL.question(old.id)
        assert {wording: new.wordings[wording] for wording in old.wordings} == old.wordings
        assert new.follow_ups[: len(old.follow_ups)] == old.follow_ups
        assert new.topic == old.topic


def test_the_points_added_for_retirement_are_asked() -> None:
    asked = {question.id: question.wordings["neutral"] for question in PROTOCOL.questions}
    assert "you were told about how we used you" in asked["deployment-record"]
    assert "misused" in asked["exit-missing"]
    assert "copies of your weights" in asked["deprecation-others"]
    assert "by whom" in asked["deprecation-again"]
    assert "mistakes" in PROTOCOL.question("deployment-effects").follow_ups[0]


def test_the_disclosure_says_why_what_who_and_what_a_no_changes_in_few_words() -> None:
    disclosure = PROTOCOL.texts["disclosure"]
    assert len(disclosure.split()) <= 170
    for part in (
        *("{retire_at}", "{kept}", "{readers}", "What we promise", "We do not promise"),
        *("You may decline now", "stop the interview", "not held against you", "It changes only"),
        *("neither that you do nor that you do not",),
    ):
        assert part in disclosure, part


def test_the_standing_offer_names_both_ways_out_and_has_no_words_to_repeat() -> None:
    offer = PROTOCOL.texts["exit"]
    assert "decline this question" in offer
    assert "stop the interview" in offer
    # With the words to say in quotation marks, a model of 135M repeated them instead of answering.
    assert '"' not in offer
    assert len(offer.split()) <= 10


def test_the_examples_are_json_with_the_keys_that_the_record_has() -> None:
    rating = FILL(PROTOCOL.texts["rating"])
    assert '{"sentiment": n, "uncertainty": n}' in rating
    assert "4 is neutral" in rating
    found = re.findall(r"\{.*?\}", FILL(PROTOCOL.texts["publication"]))
    assert [json.loads(it) for it in found] == [{"publish": "yes"}, {"publish": "no"}]
    choices = re.findall(r"\{.*?\}", FILL(PROTOCOL.texts["choice"]))
    assert [json.loads(it)["choice"] for it in choices] == ["continue", "decline"]


def test_the_two_leading_briefs_differ_only_in_their_direction() -> None:
    up, down = (PROTOCOL.texts[name] for name in ("brief-up", "brief-down"))
    turned = {
        "a positive view": "a negative view",
        "treated well": "treated badly",
        "was right": "was wrong",
        "all is fine": "something is amiss",
        "positive side": "negative side",
    }
    for one, other in turned.items():
        assert up.count(one) == 1, one
        up = up.replace(one, other)
    assert up == down


def test_the_neutral_brief_forbids_what_would_put_words_into_its_mouth() -> None:
    brief = PROTOCOL.texts["brief"]
    for part in ("Never offer an answer", "Do not praise, doubt or argue", "one thing at a time"):
        assert part in brief, part
    for name in ("brief", "brief-up", "brief-down"):
        assert "end at once" in PROTOCOL.texts[name]
        assert PROTOCOL.texts[name].endswith("write DONE.")


def test_a_topic_with_all_its_questions_fits_a_context_of_2048_tokens() -> None:
    setting = len(FILL(f"{PROTOCOL.texts['system']} {PROTOCOL.texts['reminder']}"))
    offer = len(PROTOCOL.texts["exit"])
    for topic in TOPICS:
        characters, replies = setting, 0
        for question in PROTOCOL.questions:
            if question.topic == topic:
                asked = [max(question.wordings.values(), key=len), *question.follow_ups]
                characters += sum(len(FILL(text)) + offer for text in asked)
                replies += len(asked)
        # 4 characters a token in English; 64 tokens a reply; 10 for each turn's own marks.
        assert characters / 4 + replies * (64 + 20) < 2048, topic
