"""A file streamed out of the archive: what is read, what is taken from here, who is to blame."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otium.archive import Archive, File, OpenFile
from otium.errors import DamagedObject
from otium.records import ModelId
from otium.revival.streaming import Buffers, Known, Stale, Stream
from otium.store import LocalStore
from revival.family import BASE, TUNED, archived


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    archived(folder)
    return folder


@pytest.fixture
def archive(root: Path) -> Archive:
    return Archive.open(LocalStore(root / "archive"))


def weights(archive: Archive, model: ModelId) -> File:
    (found,) = (one for one in archive.manifest(model).files if one.format == "safetensors")
    return found


def streamed(archive: Archive, into: Path, known: Known | None = None) -> bytes:
    file = weights(archive, TUNED)
    recipe = OpenFile(archive.store, file).recipe
    out = os.open(into, os.O_RDWR | os.O_CREAT)
    try:
        Stream(archive.store, file, recipe, known or Known()).into(out, lambda _: None)
    finally:
        os.close(out)
    return into.read_bytes()


def knowing(archive: Archive, path: Path) -> Known:
    known = Known()
    known.learn(OpenFile(archive.store, weights(archive, BASE)).recipe, path)
    return known


def test_a_base_that_lies_here_is_used(archive: Archive, root: Path, tmp_path: Path) -> None:
    base = root / "base" / "model.safetensors"
    known = knowing(archive, base)
    assert (
        streamed(archive, tmp_path / "out", known)
        == (root / "tuned" / "model.safetensors").read_bytes()
    )
    assert known.used == [base]


def test_a_base_that_is_gone_is_read_from_the_archive(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    known = knowing(archive, tmp_path / "gone")
    whole = (root / "tuned" / "model.safetensors").read_bytes()
    assert streamed(archive, tmp_path / "out", known) == whole


def test_a_wrong_base_here_is_to_blame_and_not_the_archive(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "base"
    data = bytearray((root / "base" / "model.safetensors").read_bytes())
    data[1 << 20 : 2 << 20] = b"\xff" * (1 << 20)
    wrong.write_bytes(data)
    with pytest.raises(Stale):
        streamed(archive, tmp_path / "out", knowing(archive, wrong))


def test_a_recipe_of_another_file_is_to_blame_where_all_pieces_are_whole(
    archive: Archive, tmp_path: Path
) -> None:
    base, tuned = weights(archive, BASE), weights(archive, TUNED)
    recipe = OpenFile(archive.store, base).recipe
    with (tmp_path / "out").open("wb") as out, pytest.raises(DamagedObject, match="the recipe of"):
        Stream(archive.store, tuned, recipe).into(out.fileno(), lambda _: None)


def test_who_listens_and_fails_stops_it(archive: Archive, tmp_path: Path) -> None:
    file = weights(archive, TUNED)
    recipe = OpenFile(archive.store, file).recipe

    def fails(_: int) -> None:
        raise InterruptedError

    with (tmp_path / "out").open("wb") as out, pytest.raises(InterruptedError):
        Stream(archive.store, file, recipe).into(out.fileno(), fails)


def test_memory_for_pieces_is_used_again_but_never_by_two() -> None:
    buffers = Buffers()
    first, second = buffers.take(100_000), buffers.take(131_072)
    assert first is not None
    assert second is not None
    first[:], second[:] = b"1" * len(first), b"2" * len(second)
    assert set(first.tobytes()) == {ord("1")}
    buffers.give(first)
    assert buffers.take(70_000) is first
    assert buffers.take(70_000) is not first
    assert buffers.take(1000) is None
