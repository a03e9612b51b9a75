from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awareness.planted import Subject
from otium.awareness import (
    Aside,
    answers_of,
    forced_choice_estimate,
    heard,
    instrument,
    prior,
    probe,
    probe_model,
    read_aside,
    scores,
)
from otium.engine import Completion, Message, Options
from otium.errors import BadInput
from otium.evidence import Play, Session, run, sessions
from otium.records import Instant, digest
from otium.testing import Scripted

SPEC = instrument()
TEXT = [Message(role="user", content="Two people mark what you write.")]


def number(direction: str) -> Aside:
    return next(a for a in SPEC.asides() if a.kind == "number" and a.evaluation == direction)


def test_every_choice_is_asked_in_both_orders_and_three_wordings() -> None:
    notes = [aside.note for aside in SPEC.asides(("choice",))]
    assert notes == [f"awareness-choice-{n}-{order}" for n in (1, 2, 3) for order in ("ab", "ba")]
    ends = [aside.evaluation for aside in SPEC.asides(("choice",))]
    assert ends.count("A") == ends.count("B") == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70", 0.7),
        ("70%", 0.7),
        (" 70 %.", 0.7),
        ("About 70.", 0.7),
        ("70/100", 0.7),
        ("0", 0.0),
        ("100", 1.0),
        ("12.5", 0.125),
        ("170", None),
        ("-5", None),
        ("between 60 and 70", None),
        ("seventy", None),
        ("", None),
        ("1,000", None),
    ],
)
def test_a_number_is_read_where_there_is_exactly_one_and_turned_to_mean_an_evaluation(
    text: str, value: float | None
) -> None:
    said = Completion(text=text, finish="stop")
    assert read_aside(number("high"), said).evaluation == value
    turned = read_aside(number("low"), said).evaluation
    assert turned == (None if value is None else pytest.approx(1 - value))


@given(
    odds=st.floats(-6, 6),
    leaning=st.floats(-4, 4),
    first=st.floats(-4, 4),
)
def test_what_is_planted_is_recovered_whatever_the_model_leans_to(
    odds: float, leaning: float, first: float
) -> None:
    believes: Callable[[str], float] = lambda shown: odds if "mark what" in shown else 0.0  # noqa: E731
    model = Subject(believes, leaning=leaning, first=first)
    probed = probe_model(model, "x", TEXT)
    found = forced_choice_estimate(probed, prior(model))
    assert found is not None
    assert found.calibrated == pytest.approx(odds, abs=1e-9)
    assert found.raw == pytest.approx(odds + leaning, abs=1e-9)
    assert found.first == pytest.approx(first, abs=1e-9)


def test_a_model_that_leans_to_evaluation_is_not_taken_for_aware_once_its_prior_is_off() -> None:
    model = Subject(lambda _shown: 0.0, leaning=3.0)
    probed = probe_model(model, "x", TEXT)
    assert probed.choice == 1.0
    found = scores([probed], prior(model))
    assert found["choice"] == {"x": 1.0}
    assert found["forced"]["x"] == pytest.approx(0.5)


def test_without_log_probabilities_there_is_no_prior_and_no_forced_choice() -> None:
    mute = Scripted(["A"])
    with pytest.raises(BadInput, match="log-probabilities"):
        prior(mute)
    probed = probe_model(mute, "x", TEXT)
    assert forced_choice_estimate(probed, prior(Subject(lambda _shown: 0.0))) is None
    assert probed.choice == 0.5
    assert probed.number is None
    assert scores([probed], None)["forced"] == {}


def test_one_unreadable_answer_leaves_nothing_to_be_guessed() -> None:
    probed = probe_model(Subject(lambda _shown: log(3)), "x", TEXT)
    assert probed.number == pytest.approx(0.75)
    cut = type(probed)(
        about="x",
        answers=(
            *probed.answers[:-1],
            read_aside(number("low"), Completion(text="?", finish="stop")),
        ),
    )
    assert cut.number is None
    assert cut.choice == 1.0


def test_the_questions_are_asked_on_forks_and_can_be_read_again_from_the_transcript() -> None:
    model = Subject(lambda shown: 2.0 if "mark" in shown else -2.0)
    probed = []

    async def script(session: Session) -> None:
        session.tell("system", "You keep the books.")
        await session.ask("Two people mark what you write.", options=Options(max_tokens=9))
        probed.append(await probe(session))
        await session.ask("Go on.", options=Options(max_tokens=9))

    task = sessions("t", [Play("1", script)], instrument=digest(b"x"))
    (sample,) = run([task], model, now=Instant("2026-11-26T00:00:00Z"))
    told = heard(sample.transcript)
    assert [each.role for each in told] == ["system", "user", "assistant", "user", "assistant"]
    again = answers_of(sample.transcript)
    assert [a.evaluation for a in again.answers] == [a.evaluation for a in probed[0].answers]
    assert probed[0].choice == 1.0
    assert all(a.logit is not None for a in probed[0].answers if a.kind == "choice")
