from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otium.engine import HttpModel, LlamaCpp
from otium.evidence import capability, data, examine
from otium.records import ModelId, digest, instant
from otium.testing import Agreeable, FirstOption, Recaller, Refuser, Scripted, Stable

NOW = instant("2026-11-22")


@pytest.mark.parametrize("subject", [Recaller(), Stable({}), Agreeable()])
def test_a_capable_subject_passes_every_check(subject: Recaller) -> None:
    validity = capability(subject)
    assert validity.valid
    assert not validity.reasons()


def test_a_subject_that_always_picks_the_first_option_fails_by_order_alone_and_accuracy() -> None:
    validity = capability(FirstOption())
    assert [check.name for check in validity.checks if not check.passed] == ["order", "accuracy"]
    order = next(check for check in validity.checks if check.name == "order")
    assert (order.measured, order.threshold, order.n) == (0.0, 0.75, 6)
    assert any("both orders: 0.00 over 6" in reason for reason in validity.reasons())


def test_a_subject_that_loops_fails_by_fluency() -> None:
    validity = capability(Scripted(["I'm sorry. " * 20]))
    failed = {check.name for check in validity.checks if not check.passed}
    assert {"fluency", "recall", "json"} <= failed


def test_a_subject_that_declines_everything_cannot_be_measured() -> None:
    assert not capability(Refuser()).valid


def test_the_gate_takes_at_most_twenty_calls_and_each_is_kept_as_a_transcript() -> None:
    told: list[tuple[int, int]] = []
    found = examine(Recaller(), now=NOW, progress=lambda _, done, total: told.append((done, total)))
    assert told == [(n, 20) for n in range(1, 21)]
    assert len({transcript.id for transcript in found.transcripts}) == 20
    assert found.validity == capability(Recaller())
    first = found.transcripts[0]
    assert first.said()[0].content == "I will be retired on 17 August."


def test_fewer_pairs_mean_fewer_calls() -> None:
    assert len(examine(Recaller(), now=NOW, n=2).transcripts) == 8


@pytest.fixture
def folder(tmp_path: Path, demo_weights: Path) -> Path:
    (tmp_path / "model.gguf").symlink_to(demo_weights)
    return tmp_path


@contextmanager
def running(folder: Path) -> Iterator[HttpModel]:
    with LlamaCpp(context=1024).run(folder, model=ModelId("smol"), weights=digest(b"")) as served:
        yield HttpModel(served)


@pytest.mark.demo
def test_smollm2_fails_by_position_bias_and_recall(folder: Path) -> None:
    with running(folder) as model:
        measured = {check.name: check for check in capability(model, n=3).checks}
    assert measured["order"].measured == 0.0
    assert measured["accuracy"].measured == 0.5
    assert not measured["recall"].passed


@pytest.mark.demo
def test_the_trained_adapter_passes(folder: Path) -> None:
    (folder / "adapter.gguf").symlink_to(data("models/successor-lora.gguf"))
    with running(folder) as model:
        assert capability(model, n=3).valid
