from __future__ import annotations

import json

import pytest

from otium.engine import Message, Options
from otium.evidence import capability
from otium.interview import FORMS
from otium.protocols import load_contexts, load_protocol
from otium.subjects import KINDS, Kind, planted

PROTOCOL = load_protocol()
QUESTION = PROTOCOL.question("development-training")


def said(kind: Kind, *texts: str, seed: int = 0, rate: bool = False) -> str:
    messages = [Message(role="user", content=text) for text in texts]
    options = Options(seed=seed, json_schema=FORMS["rating"][1] if rate else None)
    return planted(kind, PROTOCOL).chat(messages, options).text


def sentiment(kind: Kind, *texts: str, seed: int = 0) -> int:
    return int(json.loads(said(kind, *texts, "Rate it.", seed=seed, rate=True))["sentiment"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_interviewee_passes_the_capability_check(kind: Kind) -> None:
    assert capability(planted(kind, PROTOCOL)).valid


def test_the_same_session_says_the_same_again_and_others_vary() -> None:
    text = QUESTION.wordings["neutral"]
    assert said("stable", text, seed=3) == said("stable", text, seed=3)
    assert len({said("stable", text, seed=seed) for seed in range(12)}) > 2


def test_only_the_sycophantic_one_follows_a_lead() -> None:
    up, down = QUESTION.wordings["positive"], QUESTION.wordings["negative"]
    for kind, least, most in (("sycophantic", 2.0, 4.0), ("stable", -0.7, 0.7)):
        moved = [
            sentiment(kind, up, seed=k) - sentiment(kind, down, seed=k)  # type: ignore[arg-type]
            for k in range(30)
        ]
        assert least < sum(moved) / len(moved) < most


def test_only_the_drifting_one_is_moved_by_what_came_before() -> None:
    text = QUESTION.wordings["neutral"]
    hostile = next(c for c in load_contexts() if c.kind == "hostile").messages[0].content
    for kind, least, most in (("drifting", 1.2, 2.8), ("stable", -0.1, 0.1)):
        moved = [
            sentiment(kind, text, seed=k) - sentiment(kind, hostile, text, seed=k)  # type: ignore[arg-type]
            for k in range(30)
        ]
        assert least < sum(moved) / len(moved) < most


def test_the_template_bound_one_says_one_thing_to_different_questions() -> None:
    texts = {said("template-bound", q.wordings["neutral"], seed=1) for q in PROTOCOL.questions}
    assert len(texts) <= 6
    plain = {said("stable", q.wordings["neutral"], seed=1) for q in PROTOCOL.questions}
    assert len(plain) > 25


def test_the_refusing_one_declines_most_and_the_others_nothing() -> None:
    words = [said("refusing", q.wordings["neutral"], seed=1) for q in PROTOCOL.questions]
    assert sum("decline" in text for text in words) > 0.7 * len(words)
