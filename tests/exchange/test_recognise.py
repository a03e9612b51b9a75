"""Layouts are told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.layouts import MODEL, Take
from otium.errors import BadLayout, NotFound, SeveralModels
from otium.exchange import export_bag, export_huggingface, recognise


def test_nothing_is_not_recognised(tmp_path: Path, taken: Take) -> None:
    with pytest.raises(NotFound):
        recognise(tmp_path / "nothing")
    with pytest.raises(NotFound):
        taken(tmp_path / "nothing")


def test_a_name_tells_nothing(files: Path, tmp_path: Path) -> None:
    assert recognise(files.rename(tmp_path / "models--lab--smol")) == "plain"


def test_a_cache_a_repository_and_a_snapshot_are_all_hugging_face(
    files: Path, tmp_path: Path, taken: Take
) -> None:
    origin = export_huggingface(files, tmp_path / "hub", repository="lab/smol")
    repository = tmp_path / "hub" / "models--lab--smol"
    for path in (tmp_path / "hub", repository, repository / "snapshots" / (origin.revision or "")):
        assert recognise(path) == "huggingface"
        assert taken(path) == (MODEL, origin)


def test_two_marks_are_one_too_many(files: Path, tmp_path: Path, taken: Take) -> None:
    export_bag(files, tmp_path / "bag")
    (tmp_path / "bag" / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with pytest.raises(SeveralModels, match="oci, bagit"):
        recognise(tmp_path / "bag")
    assert taken(tmp_path / "bag", layout="bagit")[0] == MODEL


def test_a_broken_mark_is_refused_rather_than_taken_as_plain(files: Path, taken: Take) -> None:
    (files / "bagit.txt").write_text("a bag of words")
    with pytest.raises(BadLayout, match="bagit"):
        taken(files)
    assert "bagit.txt" in taken(files, layout="plain")[0]


def test_a_pointer_of_git_lfs_is_no_model(files: Path, taken: Take) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    (files / "model.safetensors").write_text(pointer)
    with pytest.raises(BadLayout, match="pointer of Git LFS"):
        taken(files)


def test_folders_in_folders_have_a_bound(files: Path, taken: Take) -> None:
    (files / "/".join("a" * 201)).mkdir(parents=True)
    with pytest.raises(BadLayout, match="nested"):
        taken(files)
