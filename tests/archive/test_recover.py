"""recover.py: the files of an archive with nothing but Python's standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from makers import NOW, PROJECT, SMOL, SUCCESSOR, folder, tree
from otium.archive import Archive
from otium.archive.objects import folder as place
from otium.records import ModelId
from otium.testing import MemoryStore

SOURCE = PROJECT / "src/otium/data/recover.py"


@pytest.fixture
def disk(full: Archive, store: MemoryStore, tmp_path: Path) -> Path:
    del full
    return folder(tmp_path / "copy", store.objects)


def recover(disk: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the archive's own copy as a stranger would: isolated, without site packages."""
    command = [sys.executable, "-I", "-S", str(disk / "recover.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.parametrize("model", [SMOL, SUCCESSOR])
def test_it_restores_what_was_deposited(
    disk: Path, files: dict[ModelId, Path], full: Archive, tmp_path: Path, model: ModelId
) -> None:
    done = recover(disk, disk, model, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "out") == tree(files[model])
    assert f"{model} is whole: weights {full.manifest(model).weights}" in done.stdout
    for file in full.manifest(model).files:
        assert f"{file.sha256}  {file.path}" in done.stdout


def test_it_lists_models_with_and_without_weights(
    full: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    full.put_record(ModelId("only-records"), "a.json", b"{}", now=NOW, message="")
    disk = folder(tmp_path / "copy", store.objects)
    done = recover(disk, disk, "--list")
    assert done.returncode == 0, done.stderr
    size = sum(file.size for file in full.manifest(SMOL).files)
    assert f"smol-1: 4 files, {size} bytes; 5 records" in done.stdout
    assert "smol-2.1: 3 files" in done.stdout
    assert "only-records: 0 files, 0 bytes; 1 records" in done.stdout


def test_it_leaves_the_archive_as_it_is(disk: Path, tmp_path: Path) -> None:
    before = tree(disk)
    recover(disk, disk, SMOL, tmp_path / "out")
    assert tree(disk) == before


def test_a_damaged_file_is_named_and_left_out_and_the_others_are_restored(
    disk: Path, files: dict[ModelId, Path], tmp_path: Path
) -> None:
    pack = next(path for path in disk.rglob("*.pack") if b"one\ntwo\n" in path.read_bytes())
    pack.write_bytes(pack.read_bytes().replace(b"two", b"too"))
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "nested/vocab.txt: pack" in done.stderr
    expected = tree(files[SMOL])
    del expected["nested/vocab.txt"]
    assert tree(tmp_path / "out") == expected


@pytest.mark.parametrize("harm", ["lose", "cut", "spoil"])
@pytest.mark.parametrize("suffix", [".pack", "recipes/*/*.json"])
def test_lost_and_spoiled_packs_and_recipes_are_named(
    disk: Path, tmp_path: Path, suffix: str, harm: str
) -> None:
    for path in disk.glob(suffix if "/" in suffix else f"packs/*/*{suffix}"):
        if harm == "lose":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] if harm == "cut" else b"{}")
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "model.gguf:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "model.gguf").exists()


def test_a_damaged_record_is_named(disk: Path, tmp_path: Path) -> None:
    (disk / place(SMOL) / "v2/content/notice.json").write_bytes(b"other")
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "record notice.json" in done.stderr
    assert (tmp_path / "out" / "model.gguf").exists()


@pytest.mark.parametrize("bad", [b"", b"{}", b"\xff", b"[]", b'{"head":"../v1"}'])
def test_an_older_inventory_serves_if_the_newest_is_lost(
    disk: Path, files: dict[ModelId, Path], tmp_path: Path, bad: bytes
) -> None:
    (disk / place(SMOL) / "inventory.json").write_bytes(bad)
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "an older copy is tried" in done.stderr
    assert tree(tmp_path / "out") == tree(files[SMOL])


def test_a_sidecar_that_a_dead_writer_left_behind_is_no_obstacle(
    disk: Path, tmp_path: Path
) -> None:
    older = (disk / place(SMOL) / "v2/inventory.json.sha512").read_bytes()
    (disk / place(SMOL) / "inventory.json.sha512").write_bytes(older)
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_target_that_holds_anything_is_refused(disk: Path, tmp_path: Path) -> None:
    out = folder(tmp_path / "out", {"mine.txt": b"mine"})
    assert recover(disk, disk, SMOL, out).returncode == 1
    assert tree(out) == {"mine.txt": b"mine"}


def test_unknown_models_and_places_are_named_plainly(disk: Path, tmp_path: Path) -> None:
    for archive, model in ((disk, "nobody"), (tmp_path / "nowhere", SMOL)):
        done = recover(disk, archive, model, tmp_path / "out")
        assert done.returncode == 1
        assert "holds no model" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["ARCHIVE"], ["ARCHIVE", "MODEL"], ["a", "b", "c", "d"]])
def test_wrong_arguments_show_how_to_use_it(disk: Path, arguments: list[str]) -> None:
    done = recover(disk, *arguments)
    assert done.returncode == 2
    assert "recover.py ARCHIVE MODEL OUTDIR" in done.stderr


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "a/../../escaped", "C:/x", "a\\b"])
def test_a_forged_manifest_cannot_write_outside(
    full: Archive, store: MemoryStore, tmp_path: Path, path: str
) -> None:
    manifest = full.manifest(SMOL)
    file = msgspec.structs.replace(manifest.files[0], path=path)
    forged = msgspec.structs.replace(manifest, model=ModelId("forged"), files=(file,))
    full.put_record(forged.model, "manifest.json", forged.encode(), now=NOW, message="")
    disk = folder(tmp_path / "copy", store.objects)
    done = recover(disk, disk, "forged", tmp_path / "deep" / "out")
    assert done.returncode == 1
    assert "is not safe" in done.stderr
    assert tree(tmp_path / "deep") == {}
    assert not (tmp_path / "escaped").exists()


def test_it_is_short_and_speaks_python_3_8() -> None:
    source = SOURCE.read_text()
    assert len(source.splitlines()) <= 300
    tree = ast.parse(source, feature_version=(3, 8))
    newer = ("removeprefix", "removesuffix", "is_relative_to", "strict=", "walrus", "match ")
    assert not [word for word in newer if word in source]
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert all(str(name).split(".")[0] in sys.stdlib_module_names for name in imported)
