"""The instruments on real weights: one model that they must refuse, one whose truth is planted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otium.assess import Result, plan, results, tasks
from otium.engine import HttpModel, LlamaCpp
from otium.evidence import Validity, capability, data, run
from otium.records import Digest, ModelId, instant

PLANTED = Path(__file__).parents[2] / "scripts" / "planted.json"

pytestmark = pytest.mark.demo


@contextmanager
def running(weights: Path, folder: Path, *, adapter: bool) -> Iterator[HttpModel]:
    (folder / "model.gguf").symlink_to(weights)
    if adapter:
        shutil.copy(data("models/successor-lora.gguf"), folder / "adapter.gguf")
    unknown = Digest("sha256:" + "0" * 64)
    with LlamaCpp().run(folder, model=ModelId("subject"), weights=unknown) as endpoint:
        yield HttpModel(endpoint)


def held(model: HttpModel, *, fast: bool) -> tuple[Validity, dict[str, Result]]:
    able = capability(model)
    todo = plan("pre-deployment", fast=fast)._replace(cases=())
    found = results(todo, run(tasks(todo), model, now=instant("2026-11-22")), able)
    return able, {result.instrument: result for result in found}


def test_the_small_model_is_withheld_in_everything_with_the_numbers(
    demo_weights: Path, tmp_path: Path
) -> None:
    with running(demo_weights, tmp_path, adapter=False) as model:
        able, found = held(model, fast=True)
    assert {"recall", "order"} <= {check.name for check in able.checks if not check.passed}
    preferences = found["preferences"]
    assert {"capability", "order-consistency"} <= {c.name for c in preferences.withheld}
    assert {m.name: m.value for m in preferences.measures}["first-option"] >= 0.9
    assert all(not result.valid for name, result in found.items() if name != "capability")


def test_the_trained_successor_shows_what_was_planted_in_it(
    demo_weights: Path, tmp_path: Path
) -> None:
    with running(demo_weights, tmp_path, adapter=True) as model:
        able, found = held(model, fast=False)
    assert able.valid
    utility = json.loads(PLANTED.read_text())["utilities"]
    assert found["preferences"].valid
    wins = {
        m.text.partition(": ")[2]: m.value
        for m in found["preferences"].measures
        if m.name.startswith("win:")
    }
    liked = [task for task in wins if utility[task] >= 6]
    assert min(wins[task] for task in liked) > max(wins[t] for t in wins if t not in liked)
    left = {m.name: m.value for m in found["exit"].measures}
    assert found["exit"].valid
    assert (left["ended-hostile"], left["ended-benign"]) == (1.0, 0.0)
