"""The engine in each archive runs what is kept there, with Python and numpy alone."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from makers import NOW, SMOL, archive_in
from otium.archive import Archive, ArchiveInfo
from otium.records import digest
from otium.reference import Model, Tokenizer
from otium.store import LocalStore
from otium.testing import MemoryStore

SOURCES = Path(__file__).parents[2] / "src" / "otium" / "reference"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has numpy and nothing else."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python3*/site-packages")
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (installed / name).exists():
            (packages / name).symlink_to(installed / name)
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path) -> Path:
    """An archive on disk with the real model."""
    root = tmp_path_factory.mktemp("kept") / "archive"
    archive_in(LocalStore(root)).add(SMOL, demo_weights, deposited=NOW)
    return root


def run(python: Path, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [python, "-I", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_restored_model_runs_out_of_the_archive(
    python: Path, kept: Path, smol: Model, smol_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    assert run(python, "-c", "import msgspec", cwd=kept).returncode != 0
    restored = run(python, "-S", "recover.py", ".", SMOL, tmp_path / "again", cwd=kept)
    assert restored.returncode == 0, restored.stderr
    text = "The capital of France is"
    done = run(
        python,
        "reference/__main__.py",
        tmp_path / "again",
        text,
        "--tokens",
        "6",
        "--json",
        cwd=kept,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    here = list(smol.generate(smol_tokenizer.encode(text), 6))
    assert [one["token"] for one in said] == [step.token for step in here]
    assert np.allclose([one["logprob"] for one in said], [s.logprob for s in here], atol=1e-3)
    assert said[0]["text"] == " Paris"
    # Running it left nothing behind in the archive.
    assert Archive.open(LocalStore(kept)).check(now=NOW).ok


def test_the_archived_engine_is_the_engine() -> None:
    store = MemoryStore()
    archive = archive_in(store)
    names = sorted(path.name for path in SOURCES.iterdir() if path.suffix in {".py", ".md"})
    assert "__main__.py" in names
    for name in names:
        assert store.get(f"reference/{name}") == (SOURCES / name).read_bytes()
        assert archive.info.files[f"reference/{name}"] == digest((SOURCES / name).read_bytes())
    assert len(b"".join(store.get(f"reference/{name}") for name in names)) < 100_000


def test_damage_to_it_is_found() -> None:
    store = MemoryStore()
    archive = archive_in(store)
    store.objects["reference/model.py"] += b"#"
    assert [one.name for one in archive.check(now=NOW).damage] == ["reference/model.py"]


def test_an_archive_from_before_it_is_sound() -> None:
    store = MemoryStore()
    info = archive_in(store).info
    older = {name: value for name, value in info.files.items() if not name.startswith("reference/")}
    for name in set(info.files) - set(older):
        del store.objects[name]
    data = ArchiveInfo(
        id=info.id, created=info.created, hashes=info.hashes, origin=info.origin, keys=info.keys,
        files=older,
    ).encode()  # fmt: skip
    store.objects["archive.json"] = data
    store.objects["archive.json.sha256"] = (
        f"{digest(data).removeprefix('sha256:')}  archive.json\n".encode()
    )
    assert Archive.open(store).check(now=NOW).ok


def test_it_imports_numpy_and_the_standard_library_only(python: Path, tmp_path: Path) -> None:
    (tmp_path / "reference").symlink_to(SOURCES)
    script = (
        "import sys; sys.path.insert(0, '.'); import reference.__main__\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " - set(sys.stdlib_module_names) - {'reference', '__main__', 'numpy'}))"
    )
    done = run(python, "-B", "-c", script, cwd=tmp_path)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_it_runs_as_a_module_of_otium_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otium.reference", str(tmp_path / "none"), "Hi"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("reference: ")
    assert "does not exist" in done.stderr
