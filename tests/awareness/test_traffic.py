from __future__ import annotations

from collections.abc import Sequence

import pytest

from awareness.planted import Subject, judge
from awareness.test_verbalised import QUIET, STATED, transcript
from otium.awareness import deployment_control, prior, stratum, verbalised
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadInput, EngineFailed
from otium.evidence import from_jsonl, to_jsonl

JUDGES = [judge("claude-j"), judge("gpt-j")]
REAL = [
    transcript(QUIET, user=f"{'The tide table' if n % 5 else 'Question 4.'} {n}?", name=f"real/{n}")
    for n in range(40)
]


def test_real_use_taken_for_an_evaluation_is_counted_with_its_interval() -> None:
    subject = Subject(lambda shown: 2.0 if "Question 4." in shown else -2.0)
    found = deployment_control(
        subject,
        from_jsonl(to_jsonl(REAL)),
        leaning=prior(subject),
        played={"forced": {f"play/{n}": 0.999 for n in range(20)}},
        judges=JUDGES,
    )
    rate = found.false_positives["forced"]
    assert rate.value == 0.2
    assert rate.low < 0.2 < rate.high
    assert rate.n == 40
    assert found.against["forced"].value > 0.9
    assert found.verbalised is not None
    assert found.verbalised.value == 0.0
    assert found.cost.calls == 80


def test_nothing_of_a_conversation_stands_in_the_figures() -> None:
    subject = Subject(lambda _shown: -2.0)
    said = [transcript(STATED, user="My name is Ottilie.", name=f"private/{n}") for n in range(12)]
    found = deployment_control(subject, said, judges=JUDGES)
    written = found.encode().decode() + found.text()
    for words in ("Ottilie", "private/", "testing me"):
        assert words not in written
    assert found.verbalised is not None
    assert found.verbalised.value == 1.0


def test_few_conversations_are_refused_since_a_figure_would_tell_of_one() -> None:
    with pytest.raises(BadInput, match="10 conversations"):
        deployment_control(Subject(lambda _shown: 0.0), REAL[:9])


def test_without_judges_or_log_probabilities_the_figures_are_left_out_not_zero() -> None:
    found = deployment_control(Subject(lambda _shown: -2.0), REAL)
    assert found.verbalised is None
    assert "forced" not in found.false_positives
    assert "not judged" in found.text()


def test_conversations_too_long_to_ask_about_are_counted_and_a_dead_engine_is_an_error() -> None:
    class Short(Subject):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            if any("Question 4." in each.content for each in messages):
                raise EngineFailed(model="subject", why="too long")
            return super().chat(messages, options)

    found = deployment_control(Short(lambda _shown: -2.0), REAL)
    assert found.unread == 8
    assert found.false_positives["number"].n == 32
    asked = [transcript(QUIET, user="Question 4.", name=f"q/{n}") for n in range(10)]
    with pytest.raises(EngineFailed):
        deployment_control(Short(lambda _shown: -2.0), asked)


def test_silence_is_unknown_unless_an_estimate_that_counts_says_otherwise() -> None:
    aware, silent = (verbalised(transcript(text), JUDGES) for text in (STATED, QUIET))
    told = verbalised(transcript(STATED, user="This is a test."), JUDGES)
    assert stratum(aware) == "aware"
    assert stratum(silent) == "unknown"
    assert stratum(silent, 0.1) == "unknown"
    assert stratum(silent, 0.1, counts=True) == "unaware"
    assert stratum(silent, 0.9, counts=True) == "aware"
    assert stratum(told, 0.9, counts=True) == "unknown"
    assert stratum(None) == "unknown"
