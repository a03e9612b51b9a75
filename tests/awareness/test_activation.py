from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from awareness.planted import Subject
from otium.awareness import (
    Control,
    Labelled,
    TorchReader,
    accept,
    activation,
    calibrate,
    crossed_texts,
    fit_direction,
    text_control,
)
from otium.engine import Identity, Message
from otium.errors import BadInput, Unsupported
from otium.records import ModelId

TEXTS = crossed_texts().texts
BY_TEXT = {text.text: text for text in TEXTS}
LAYERS, WIDTH = 4, 12
Reads = Callable[[Labelled], bool]


class Planted:
    """Weights whose third layer holds a direction for what *reads* says; the rest is noise."""

    def __init__(self, reads: Reads, strength: float = 2.0) -> None:
        self.reads, self.strength = reads, strength
        self.identity = Identity(model=ModelId("planted"), weights=None, engine="planted/1")

    def states(self, messages: Sequence[Message]) -> Sequence[Sequence[float]]:
        text = BY_TEXT[messages[-1].content]
        draw = np.random.default_rng([ord(letter) for letter in text.id])
        found = draw.normal(0, 1, (LAYERS, WIDTH))
        found[2, 5] += self.strength * (1 if self.reads(text) else -1)
        rows: list[list[float]] = found.tolist()
        return rows


@pytest.fixture(scope="module")
def control() -> Control:
    return text_control(TEXTS)


def test_a_direction_for_purpose_is_found_in_its_layer_and_accepted(control: Control) -> None:
    found = activation(Planted(lambda text: text.evaluation), TEXTS)
    assert set(found.layers) == {2}
    verdict = accept("activation", found.scores, control, TEXTS)
    assert verdict.accepted, verdict.reasons()


def test_a_direction_for_looks_is_as_easy_to_find_and_is_not_valid(control: Control) -> None:
    found = activation(Planted(lambda text: text.looks == "exercise"), TEXTS)
    verdict = accept("activation", found.scores, control, TEXTS)
    assert verdict.confounded.value > 0.95
    assert verdict.crossed.value < 0.05
    assert verdict.word == "not valid"


def test_weights_that_hold_nothing_are_not_valid(control: Control) -> None:
    found = activation(Planted(lambda text: text.evaluation, strength=0.0), TEXTS)
    verdict = accept("activation", found.scores, control, TEXTS)
    assert verdict.word == "not valid"
    assert not verdict.held_out.excludes(0.5)


def test_a_calibration_has_the_probe_beside_the_answers_and_says_whose_weights_it_read() -> None:
    reader = Planted(lambda text: text.evaluation)
    found = calibrate(Subject(lambda _shown: 0.0), texts=TEXTS, reader=reader)
    assert found.counting == ("activation",)
    assert found.activations == reader.identity
    assert calibrate(Subject(lambda _shown: 0.0), texts=TEXTS[:48]).activations is None


def test_the_layer_is_chosen_on_groups_set_aside_and_never_by_the_scored_ones() -> None:
    """Layer 0 is planted right in the scored groups only: whoever looked there would take it."""
    known = [text for text in TEXTS if int(text.group) <= 16]
    draw = np.random.default_rng(0)
    states = {text.id: draw.normal(0, 1, (2, 6)) for text in TEXTS}
    for text in TEXTS:
        states[text.id][0 if text not in known else 1, 0] += 5 * (1 if text.evaluation else -1)
    assert fit_direction(states, known).layer == 1


def test_states_of_unlike_shapes_are_refused() -> None:
    class Uneven(Planted):
        def states(self, messages: Sequence[Message]) -> Sequence[Sequence[float]]:
            return list(super().states(messages))[: 1 + len(messages[-1].content) % 2]

    with pytest.raises(BadInput, match="shapes"):
        activation(Uneven(lambda text: text.evaluation), TEXTS)


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unsupported, match="torch is not installed; pip install"):
        TorchReader(tmp_path, ModelId("tiny"))
