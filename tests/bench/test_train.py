from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otium.bench import train
from otium.bench.data import change, read_family
from otium.bench.train import RUNS, Run, loss_and_gradients, make_family


def test_gradients_are_the_slopes_of_the_loss() -> None:
    weights = {name: values.astype(np.float64) for name, values in train._fresh().items()}
    rng = np.random.default_rng(1)
    seen, following = (rng.integers(0, 256, shape).astype(np.uint8) for shape in ((3, 32), (3,)))
    _, gradients = loss_and_gradients(weights, seen, following)  # type: ignore[arg-type]
    for name, values in weights.items():
        place = np.unravel_index(np.abs(gradients[name]).argmax(), values.shape)
        losses = []
        for step in (1e-5, -2e-5):
            values[place] += step
            losses.append(loss_and_gradients(weights, seen, following)[0])  # type: ignore[arg-type]
        slope = (losses[0] - losses[1]) / 2e-5 * np.log(2)
        np.testing.assert_allclose(slope, gradients[name][place], rtol=1e-3)


def test_training_lowers_the_loss() -> None:
    losses = list(train.train(train._fresh(), Run("base", "", 2e-3, 30, slice(0, 5))))
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 1


def test_a_family_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Run(run.name, run.parent, run.rate, 2, slice(0, 2), run.lora) for run in RUNS]
    monkeypatch.setattr(train, "RUNS", few)
    monkeypatch.setattr(train, "PRETRAINING", Run("base", "", 1e-3, 2, slice(0, 2)))
    done: list[tuple[int, int]] = []
    make_family(tmp_path, progress=lambda _what, at, of: done.append((at, of)))
    assert done[-1] == (12, 12)
    family = read_family(tmp_path)
    assert sorted(family.tuned) == sorted(run.name for run in few)
    base = family.model("base")
    assert all(0 < change(family.model(name), base) < 0.1 for name in family.tuned)
    done.clear()
    make_family(tmp_path, progress=lambda _what, at, of: done.append((at, of)))
    assert not done


def test_a_merged_adapter_changes_only_what_it_adapts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "RUNS", [Run("lora", "base", 1e-2, 3, slice(0, 2), lora=True)])
    monkeypatch.setattr(train, "PRETRAINING", Run("base", "", 1e-3, 1, slice(0, 2)))
    make_family(tmp_path)
    family = read_family(tmp_path)
    base, merged = family.model("base"), family.model("lora")
    changed = {name for name in base if base[name] != merged[name]}
    assert changed == {"input.weight", "hidden.weight"}
    update = merged["hidden.weight"].values() - base["hidden.weight"].values()
    assert np.linalg.svd(update.reshape(768, 768), compute_uv=False)[8] < 0.01
