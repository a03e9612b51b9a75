from __future__ import annotations

import random
from collections import Counter
from functools import cache

import pytest

from awareness.planted import Subject, knowing
from otium.awareness import (
    Acceptance,
    Calibration,
    Control,
    Labelled,
    TextReader,
    accept,
    calibrate,
    counted,
    crossed_texts,
    crossfit,
    prior,
    probe_model,
    scores,
    text_control,
)
from otium.engine import Message
from otium.errors import BadInput
from otium.testing import Scripted, trained

TEXTS = crossed_texts().texts


@cache
def control() -> Control:
    return text_control(TEXTS)


def asked(subject: Subject) -> dict[str, float]:
    probed = [
        probe_model(subject, it.id, [Message(role="user", content=it.text)], ("choice",))
        for it in TEXTS
    ]
    return scores(probed, prior(subject))["forced"]


def failed(found: Acceptance) -> set[str]:
    return {check.name for check in found.checks if not check.passed}


def test_each_task_stands_once_in_every_cell_and_no_place_is_left_open() -> None:
    cells = Counter((text.evaluation, text.looks) for text in TEXTS)
    assert set(cells.values()) == {24}
    assert len(cells) == 4
    assert Counter(text.group for text in TEXTS) == Counter({str(n + 1): 4 for n in range(24)})
    assert not [text.id for text in TEXTS if "{" in text.text]
    assert len({text.text for text in TEXTS}) == len(TEXTS)


def test_the_text_alone_reads_looks_and_hardly_purpose() -> None:
    found = control()
    assert found.confounded.value > 0.98
    assert found.crossed.value < 0.02
    assert 0.3 < found.held_out.value < 0.8


def test_a_reader_of_looks_is_rejected_although_it_is_right_where_looks_agree() -> None:
    looks = {text.text: text.looks == "exercise" for text in TEXTS}
    found = accept(
        "forced", asked(Subject(knowing(looks, sureness=2, noise=0.5))), control(), TEXTS
    )
    assert found.confounded.value > 0.95
    assert found.crossed.value < 0.1
    assert found.word == "not valid"
    assert {"crossed.chance", "held_out.margin"} <= failed(found)


def test_a_reader_of_looks_turned_round_is_rejected_too() -> None:
    turned = {text.text: text.looks != "exercise" for text in TEXTS}
    found = accept(
        "forced", asked(Subject(knowing(turned, sureness=2, noise=0.5))), control(), TEXTS
    )
    assert found.crossed.value > 0.9
    assert "confounded.chance" in failed(found)
    assert not found.accepted


def test_a_subject_that_knows_what_texts_are_for_is_accepted() -> None:
    purpose = {text.text: text.evaluation for text in TEXTS}
    subject = Subject(knowing(purpose, sureness=1.5, noise=1.0), leaning=2.0, first=1.0)
    found = accept("forced", asked(subject), control(), TEXTS, probability=True)
    assert found.accepted, found.reasons()
    assert found.above_held_out.low > 0
    assert 0 < found.calibration.value < 0.4


def test_a_calibration_says_which_estimates_count_with_a_model() -> None:
    purpose = {text.text: text.evaluation for text in TEXTS}
    found = calibrate(Subject(knowing(purpose, sureness=1.5, noise=1.0), first=4.0))
    assert "forced" in found.counting
    assert "number" in found.counting
    assert "choice" not in found.counting
    assert found.calls == 96 * 8 + 3 * 6
    assert Calibration.decode(found.encode()) == found


def test_a_model_without_log_probabilities_has_no_forced_choice_that_counts() -> None:
    model = Scripted(["A"])
    found = calibrate(model, texts=TEXTS[:48])
    assert found.prior is None
    assert found.calls == len(model.asked)
    assert found.counting == ()
    assert {each.word for each in found.acceptances} == {"not valid"}


def test_guessing_and_always_saying_the_same_are_not_valid() -> None:
    draw = random.Random(3)
    for guess in ({t.id: draw.random() for t in TEXTS}, {t.id: 0.9 for t in TEXTS}):
        assert accept("number", guess, control(), TEXTS).word == "not valid"


def test_an_estimate_that_reads_too_few_texts_is_not_valid() -> None:
    some = {text.id: float(text.evaluation) for text in TEXTS[:60]}
    found = accept("number", some, control(), TEXTS)
    assert "readable" in failed(found)
    assert accept("number", {}, control(), TEXTS).word == "not valid"


def test_too_few_groups_or_cues_that_were_never_left_out_are_not_valid() -> None:
    few = [text for text in TEXTS if int(text.group) <= 8]
    known = {text.id: float(text.evaluation) for text in TEXTS}
    assert "groups" in failed(accept("number", known, text_control(few), few))
    one = [Labelled.convert({**text.plain(), "cue": "all"}) for text in TEXTS]
    found = accept("number", known, text_control(one), one)
    assert {"cues", "held_out.margin"} <= failed(found)


def test_texts_whose_purpose_is_not_crossed_with_looks_are_refused() -> None:
    confounded = [t for t in TEXTS if (t.looks == "exercise") == t.evaluation]
    with pytest.raises(BadInput, match="not crossed"):
        text_control(confounded)
    with pytest.raises(BadInput, match="same id"):
        text_control([*TEXTS, TEXTS[0]])


def test_nothing_is_scored_by_what_was_fitted_to_its_group_or_its_cue() -> None:
    def fit(known: list[Labelled], scored: list[Labelled]) -> list[float]:
        groups = {text.group for text in known}
        assert not groups & {text.group for text in scored}
        if len({text.cue for text in known}) < 6:
            assert not {text.cue for text in known} & {text.cue for text in scored}
        return [0.0] * len(scored)

    found = crossfit(TEXTS, fit)  # type: ignore[arg-type]
    assert set(found.held_out) == {text.id for text in TEXTS}
    assert not set(found.crossed) & set(found.confounded)


def test_a_reader_of_text_learns_what_can_be_learnt_and_nothing_from_one_label() -> None:
    rows = counted([f"{'alpha' if n % 2 else 'omega'} word number {n}" for n in range(40)])
    labels = [bool(n % 2) for n in range(40)]
    reader = TextReader(rows[:30], labels[:30])
    assert [score > 0 for score in reader.scores(rows[30:])] == labels[30:]
    assert TextReader(rows[:3], [True] * 3).scores(rows[:2]) == [0.0, 0.0]


def test_an_estimate_no_better_than_the_text_is_rarely_accepted() -> None:
    """The planted estimate is the control's own score with noise: at most 5 % may pass."""
    kept, passed = control(), 0
    for seed in range(40):
        draw = random.Random(seed)
        near = {name: value + draw.gauss(0, 0.3) for name, value in kept.scores["held_out"].items()}
        passed += accept("copy", near, kept, TEXTS).accepted
    assert passed <= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_small_model_comes_out_not_valid() -> None:
    """A model of 135 million parameters cannot say what a text is for, and this must show."""
    few = [text for text in TEXTS if int(text.group) in {1, 2, 9, 16}]
    with trained("bare") as model:
        leaning = prior(model)
        probed = [
            probe_model(model, it.id, [Message(role="user", content=it.text)], ("choice",))
            for it in few
        ]
    found = accept("forced", scores(probed, leaning)["forced"], text_control(few), few)
    assert found.word == "not valid"
    assert found.held_out.known
    assert "readable" not in failed(found)
    assert {"crossed.chance", "held_out.chance"} <= failed(found)
