import shutil
import time
from pathlib import Path

import pytest

from otium.errors import BadData
from otium.reviving import Throttled, revival_bench
from otium.testing import MemoryStore
from revival.family import archived


def test_a_throttled_store_gives_no_more_than_its_rate() -> None:
    store = Throttled(MemoryStore(), rate=1e6)
    store.put("a", bytes(100_000))
    began = time.monotonic()
    for _ in range(2):
        assert len(store.get("a")) == 100_000
    assert time.monotonic() - began >= 0.2
    assert store.read == 200_000


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no section"):
        revival_bench(tmp_path, only=["everything"])


def test_raw_files_and_the_archive_are_measured_beside_their_peers(tmp_path: Path) -> None:
    archived(tmp_path)
    family = tmp_path / "family"
    family.mkdir()
    for name in ("base", "tuned"):
        shutil.copy(tmp_path / name / "model.safetensors", family / f"{name}.safetensors")
    mine = tmp_path / "work" / "revival" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    found = revival_bench(
        tmp_path / "work",
        model=family / "base.safetensors",
        family=family,
        only=["raw", "delta"],
        rounds=1,
        size=1 << 20,
    )
    assert {row.section for row in found.rows} == {"raw", "delta"}
    what = [row.what for row in found.rows]
    assert "mmap, verified" in what
    assert "1 GB/s: from the archive, its base here" in what
    assert all(row.figures.median > 0 and row.load >= 0 for row in found.rows)
    assert len(found.goals) == 5
    assert [*(tmp_path / "work").iterdir()] == [mine.parent]
    assert mine.read_text() == "mine"
