"""The study of certificates, on doubles; on real variants it is in tests/examining."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

from fingerprints.test_certifying import Planted
from otium.engine import GREEDY, Completion, Endpoint, Engine, Message, Options
from otium.errors import EngineFailed, EngineUnavailable
from otium.fingerprints import (
    FingerprintStudy,
    Variant,
    every_third,
    fingerprint_study,
    read_calibration,
    study,
)
from otium.fingerprints.calibration import Truth
from otium.records import Digest, ModelId
from otium.testing import ServedEngine


class Silent(Planted):
    """A model that gives no log-probabilities."""

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        return replace(super().chat(messages, options), tokens=())


class Failing:
    """An engine that does not start."""

    reads_files: ClassVar[bool] = True

    def prepare(self) -> None:
        """Do nothing."""

    def run(
        self, files: Path, *, model: ModelId, weights: Digest
    ) -> AbstractContextManager[Endpoint]:
        raise EngineUnavailable(what=files, why=f"out of memory for {model}, {weights}")


def studied(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *tried: Variant,
    name: str = "new",
    original: ServedEngine | None = None,
) -> FingerprintStudy:
    """Try what is *tried* in place of a planted model."""
    plain, first = study._answers, original or ServedEngine(Planted())

    def answers(variant: Variant, *rest: object) -> object:
        of_original = variant._replace(engine=first) if variant.name == "original" else variant
        return plain(of_original, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(study, "_answers", answers)
    monkeypatch.setattr(study, "variants", lambda _: tried)
    return fingerprint_study(tmp_path, tmp_path, name=name, prompts=every_third(), orders=20)


def run(name: str, truth: Truth, engine: Engine) -> Variant:
    return Variant(name, truth, lambda folder: folder, engine)


def test_both_error_rates_are_counted_undecided_included(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = studied(
        monkeypatch,
        tmp_path,
        run("noise", "same", ServedEngine(Planted(noise=0.02, seed=1))),
        run("called the same, and is not", "same", ServedEngine(Planted(noise=0.3, seed=1))),
        run("far", "other", ServedEngine(Planted(noise=0.3, seed=2))),
        run("called other, and is not", "other", ServedEngine(Planted())),
    )
    assert [row.battery for row in found.rows] == ["same", "different", "different", "same"]
    assert [row.battery_wrong for row in found.rows] == [0, 1, 0, 1]
    assert (found.battery_false_alarms, found.battery_misses) == (1, 1)
    assert found.false_alarms.value > 0
    assert found.misses.value > 0
    assert (found.alpha, found.beta) == (0.01, 0.01)


def test_a_new_model_is_judged_by_what_was_measured_on_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert studied(monkeypatch, tmp_path, name="new").left_out
    known = read_calibration().measured[0].model
    assert studied(monkeypatch, tmp_path, name=known).left_out


def test_a_variant_that_gives_no_numbers_is_different_and_moved_by_nothing_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = studied(monkeypatch, tmp_path, run("broken", "other", ServedEngine(Silent())))
    (row,) = found.rows
    assert (row.battery, row.wrong_battery, row.moved) == ("different", False, None)


def test_a_variant_that_does_not_start_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailable, match="out of memory"):
        studied(monkeypatch, tmp_path, run("absent", "same", Failing()))


def test_an_original_that_gives_no_numbers_ends_the_study(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = ServedEngine(Silent())
    with pytest.raises(EngineFailed, match="log-probabilities"):
        studied(monkeypatch, tmp_path, original=silent)
