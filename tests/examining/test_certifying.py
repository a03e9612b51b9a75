"""The commands about certificates, on the demo's real weights."""

from pathlib import Path
from typing import Any

import pytest

from cli.said import Say
from otium.fingerprints import Certificate
from otium.fingerprints.variants import requantised, rewrite
from otium.records import model_id
from otium.workflow import fingerprint_model, opened, running

NAME = "smol-1"
FEW = 12


@pytest.fixture(scope="module")
def quantised(demo_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("quantised")
    made = {kind: folder / f"{kind}.gguf" for kind in ("Q8_0", "Q4_0")}
    for kind, path in made.items():
        rewrite(demo_weights, path, change=requantised(kind))
    return made


@pytest.fixture
def kept(say: Say, demo_weights: Path, tmp_path: Path) -> Say:
    """Deposit the model and take a short fingerprint of it."""
    assert say("archive", "create").code == 0
    registered = ("model", "register", NAME, "--title", "Smol", "--released", "2026-01-05")
    assert say(*registered).code == 0
    assert say("archive", "add", NAME, demo_weights).code == 0
    with opened(tmp_path / "lab") as house, running(house, NAME) as alive:
        taken = fingerprint_model(house, model_id(NAME), alive, few=FEW)
    assert len(taken.probes) == FEW
    assert (taken.storage, bool(taken.hardware["processor"])) == ("Q4_1", True)
    return say


def logged(say: Say) -> list[dict[str, Any]]:
    entries = say("ledger", "show", "--last", "99", "--json").json
    return [one for one in entries if one["type"] == "model.revived"]


def test_a_drill_asks_everything_and_files_its_certificate_and_files_are_told_apart(
    kept: Say, quantised: dict[str, Path]
) -> None:
    drilled = kept("model", "drill", NAME, "--json")
    assert drilled.code == 0, drilled.err
    found = Certificate.convert(drilled.json)
    assert (found.verdict, found.scope, len(found.asked)) == ("exact", "battery", FEW)
    assert (found.label, found.unexpected) == ("same weights, same engine", False)
    (entry,) = logged(kept)
    assert entry["body"]["verdict"] == "exact"
    assert found.digest() in entry["refs"]

    good = kept("model", "certify", NAME, quantised["Q8_0"])
    assert good.code == 0, good.out
    assert good.out.startswith("equivalent: ")
    assert "smol-1, quantised to Q8_0" in good.out
    bad = kept("model", "certify", NAME, quantised["Q4_0"], "--json")
    assert bad.code == 42
    refused = Certificate.convert(bad.json)
    assert (refused.verdict, refused.label) == ("different", "quantised to Q4_0")
    assert refused.name == "not smol-1"
    assert len(refused.asked) < FEW
    assert logged(kept) == [entry]


def test_a_drill_without_a_fingerprint_says_what_is_missing(say: Say) -> None:
    assert say("archive", "create").code == 0
    missing = say("model", "drill", NAME)
    assert missing.code == 3
    assert NAME in missing.err


def test_the_study_tells_variants_apart_and_prints_its_error_rates(
    say: Say, demo_weights: Path, tmp_path: Path
) -> None:
    only = ("Q8_0", "Q4_0", "two vocabulary entries")
    options = [word for name in only for word in ("--only", name)]
    study = ("bench", "fingerprint", "--quick", *options, "--work", tmp_path / "work")
    told = say(*study, "--json")
    assert told.code == 0, told.err
    rows = {row["variant"]: row for row in told.json["rows"]}
    assert {name: row["battery"] for name, row in rows.items()} == {
        "Q8_0": "same",
        "Q4_0": "different",
        "two vocabulary entries": "different",
    }
    assert told.json["left_out"]
    assert rows["Q4_0"]["wrong"]["value"] == 0
    assert rows["Q4_0"]["moved"] > 2 * rows["Q8_0"]["moved"]
    assert told.json["misses"]["high"] < 0.5
    assert not list((tmp_path / "work").iterdir())
    assert demo_weights.exists()
