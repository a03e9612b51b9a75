from __future__ import annotations

from pathlib import Path

import pytest

from bench.families import base_model, write_family
from otium.bench.data import disturbed, read_family
from otium.bench.keepers import (
    Keeper,
    OtiumArchive,
    gathered,
    intact,
    keep_and_restore,
    keepers,
    recovered,
)
from otium.errors import BadData


def marked() -> list[Keeper]:
    """Every keeper; those of other people are tried with ``pytest -m peers``."""
    ours = {"otium", "zstd"}
    return [
        keeper if keeper.name.split()[0] in ours else pytest.param(keeper, marks=pytest.mark.peers)  # type: ignore[misc]
        for keeper in keepers()
    ]


@pytest.mark.parametrize("keeper", marked(), ids=lambda keeper: keeper.name)
def test_every_keeper_gives_the_family_back(keeper: Keeper, tmp_path: Path) -> None:
    if missing := keeper.missing():
        pytest.skip(missing)
    family = gathered(read_family(write_family(tmp_path / "f")), tmp_path / "source")
    line, clock = keep_and_restore(keeper, family, tmp_path)
    raw = sum(path.stat().st_size for path in family.files.values())
    assert line.original == raw
    assert line.stored > 0
    assert clock > 0
    assert len(line.encode) == len(line.decode) == 1


def test_a_keeper_that_loses_a_byte_is_found_out(tmp_path: Path) -> None:
    class Careless(OtiumArchive):
        def restore(self, family: object, kept: Path, out: Path) -> None:
            super().restore(family, kept, out)  # type: ignore[arg-type]
            path = next(out.rglob("ft1.safetensors"))
            path.write_bytes(path.read_bytes()[:-1] + b"\x77")

    family = gathered(read_family(write_family(tmp_path / "f")), tmp_path / "source")
    with pytest.raises(BadData, match="does not give it back"):
        keep_and_restore(Careless(), family, tmp_path)


def test_gathered_files_are_the_family_and_nothing_else(tmp_path: Path) -> None:
    family = gathered(read_family(write_family(tmp_path / "f")), tmp_path / "source")
    names = sorted(path.name for path in (tmp_path / "source").iterdir())
    assert names == ["base.safetensors", "ft1.safetensors", "ft2.safetensors"]
    assert intact(family, tmp_path / "f")


def test_recover_is_timed_on_a_fine_tune_coded_against_its_base(tmp_path: Path) -> None:
    base = base_model()
    assert recovered({"base": base, "ft1": disturbed(base, 0.001)}, tmp_path) > 0
