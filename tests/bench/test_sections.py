from __future__ import annotations

from pathlib import Path

import pytest

from bench.families import base_model, write_family
from otium.bench import SECTIONS, Section, archive_bench
from otium.bench.data import disturbed, write_model
from otium.errors import BadData


@pytest.fixture
def family(tmp_path: Path) -> Path:
    return write_family(tmp_path / "family")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    base = base_model()
    for dtype in ("bf16", "f32"):
        for name in ("release", "alone"):
            (tmp_path / "pairs" / dtype / name).mkdir(parents=True)
            write_model(tmp_path / "pairs" / dtype / name / "base.safetensors", base)
    tuned = {**disturbed(base, 0.3), "norm.weight": base["norm.weight"]}
    write_model(tmp_path / "pairs" / "bf16" / "release" / "tuned.safetensors", tuned)
    return tmp_path / "pairs"


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "search"])
def test_every_section_measures(name: str, family: Path, pairs: Path, tmp_path: Path) -> None:
    report = archive_bench(tmp_path / "w", families=[family], pairs=pairs, only=[name], quick=True)
    (section,) = report.sections
    assert section.name == name
    assert not section.failed
    assert section.goals
    assert all(line.stored for line in section.lines)
    assert report.rounds == 1


def test_the_parent_of_a_fine_tune_is_the_one_that_is_listed(family: Path, tmp_path: Path) -> None:
    report = archive_bench(tmp_path / "w", families=[family], only=["fine-tunes"], quick=True)
    changes = {line.subject: line.change for line in report.sections[0].lines}
    assert changes["ft2"] == pytest.approx(0.0011, rel=0.2)


def test_only_tensors_that_changed_count_between_releases(
    family: Path, pairs: Path, tmp_path: Path
) -> None:
    report = archive_bench(
        tmp_path / "w", families=[family], pairs=pairs, only=["retrained"], quick=True
    )
    assert {line.weights for line in report.sections[0].lines} == {90368 - 256}


def test_without_pairs_the_section_says_how_to_get_them(family: Path, tmp_path: Path) -> None:
    report = archive_bench(tmp_path / "w", families=[family], only=["retrained"], quick=True)
    assert "fetch_release_pairs.py" in report.sections[0].note


def test_an_unknown_section_is_refused(family: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no section poetry"):
        archive_bench(tmp_path / "w", families=[family], only=["poetry"])


def test_a_section_that_fails_does_not_take_the_others_with_it(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_setup: object) -> Section:
        raise BadData(path="a piece", why="it is broken")

    monkeypatch.setitem(SECTIONS, "sweep", fails)
    report = archive_bench(
        tmp_path / "w", families=[family], only=["sweep", "fine-tunes"], quick=True
    )
    told = {section.name: section.failed for section in report.sections}
    assert "it is broken" in told["sweep"]
    assert not told["fine-tunes"]
