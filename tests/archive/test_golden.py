"""What earlier versions wrote is read for ever: by the library, in every kernel, and without it."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.vectors import RECOVER, recover_module
from makers import NOW
from otium.archive import Archive
from otium.entropy import decode_integers, forced, kernel_names
from otium.records import ModelId
from otium.store import LocalStore

GOLDEN = Path(__file__).parent / "golden" / "otium_archive_1"
RELEASED = "e6571623e0b6066a5d3c0b447d148c0faad5dc6cc6381d21f74eeec668f06952"
EXPECTED: dict[str, dict[str, str]] = json.loads((GOLDEN / "families.json").read_text())


@functools.cache
def pythons() -> list[str]:
    """Return one interpreter of each version from 3.8 on that is here, this one first.

    The syntax is held to 3.8 in any case (``test_recover``).
    """
    names = [f"python3.{minor}" for minor in range(8, 30)]
    paths = [sys.executable, *(found for name in names if (found := shutil.which(name)))]
    for managed in (".pyenv/versions", ".local/share/uv/python"):
        paths += map(str, (Path.home() / managed).glob("*/bin/python3"))
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    known: dict[str, str] = {}
    for path in paths:
        done = subprocess.run(
            [path, "-I", "-S", "-c", ask], capture_output=True, text=True, check=False
        )
        version = done.stdout.strip()
        if done.returncode == 0 and version.startswith("3.") and int(version[2:]) >= 8:
            known.setdefault(version, path)
    return list(known.values())


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("golden")
    with tarfile.open(GOLDEN / "families.tar.xz") as tar:
        tar.extractall(root, filter="data")
    yield root
    shutil.rmtree(root)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_golden_files_are_those_that_were_released() -> None:
    listed = [line.split("  ") for line in (GOLDEN / "SHA256SUMS").read_text().splitlines()]
    found = digests(GOLDEN)
    assert hashlib.sha256((GOLDEN / "SHA256SUMS").read_bytes()).hexdigest() == RELEASED
    assert {name: sha for sha, name in listed} == {
        name: sha for name, sha in found.items() if name != "SHA256SUMS"
    }


@pytest.mark.parametrize("name", kernel_names())
def test_the_library_restores_them_in_every_kernel(family: Path, tmp_path: Path, name: str) -> None:
    archive = Archive.open(LocalStore(family))
    with forced(name):
        for model, files in EXPECTED.items():
            archive.restore(ModelId(model), tmp_path / model)
            assert digests(tmp_path / model) == files, model


def test_a_check_finds_nothing_wrong(family: Path) -> None:
    result = Archive.open(LocalStore(family)).check(now=NOW)
    assert result.ok, result.damage


@pytest.mark.parametrize("python", pythons(), ids=lambda path: path.replace("/", "_"))
def test_recover_restores_them_with_nothing_of_ours(
    family: Path, tmp_path: Path, python: str
) -> None:
    for model, files in EXPECTED.items():
        command = [python, "-I", "-S", str(RECOVER), str(family), model, str(tmp_path / model)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), model
        assert digests(tmp_path / model) == files, model


def test_the_archive_uses_all_that_the_format_has(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, seen, depths = recover_module(), set[str](), set[int]()
    unpack = module.Stored.unpack
    said: dict[str, Callable[[Any], str]] = {
        "BB2xI": lambda v: f"prediction {v[0]}" if not v[2] else "heads",
        "IBBH": lambda v: f"lanes {1 << v[2]}",
        "1s": lambda v: f"form {v[0][0]}",
        "B3xI": lambda v: f"kind {v[0]}",
        "BB2xIIII": lambda v: f"code {v[0]}",
        "I": lambda v: "all residuals" if v[0] == 0xFFFFFFFF else f"sparse {v[0] > 0}",
    }

    def noted(stored: object, form: str) -> Any:
        values = unpack(stored, form)
        if form in said:
            seen.add(said[form](values))
        return values

    piece = module.piece.__wrapped__

    @functools.cache
    def deep(archive: Path, recipe: str, number: int, depth: int = 0) -> bytes:
        depths.add(depth)
        seen.add(module.recipe_of(archive, recipe)["pieces"][number]["codec"])
        data: bytes = piece(archive, recipe, number, depth)
        return data

    monkeypatch.setattr(module.Stored, "unpack", noted)
    monkeypatch.setattr(module, "piece", deep)
    for model in EXPECTED:
        assert module.main([str(family), model, str(tmp_path / model)]) == 0
    codecs = {"raw", "deflate", "lzma", "bytes", "float", "delta", "exponent", "quant", "scaled"}
    forms = {f"form {n}" for n in (0, 1, 2)}
    kinds = {f"kind {n}" for n in (2, 3, 6, 7, 8, 10, 11, 12, 13, 14)}
    others = {"prediction 1", "prediction 2", "heads", "lanes 4", "lanes 16", "lanes 64"}
    others |= {"code 1", "code 2", "code 3", "all residuals", "sparse True", "sparse False"}
    assert codecs | forms | kinds | others <= seen
    assert depths == {0, 1, 2, 3}


def expected_integers() -> tuple[list[int], bytes]:
    """Return the integers of ``integers.bin``, two chunks of them, and their contexts."""
    state, values = 1, []
    for _ in range((1 << 19) + 5003):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values.append(0 if state >> 12 & 127 else (state >> 20) % 2001 - 1000)
    return values, (bytes(range(7)) * (len(values) // 7 + 1))[: len(values)]


def test_coded_integers_of_two_chunks_are_read_in_every_kernel_and_without_ours() -> None:
    values, contexts = expected_integers()
    data = (GOLDEN / "integers.bin").read_bytes()
    for name in kernel_names():
        with forced(name):
            found, end = decode_integers(data, np.frombuffer(contexts, np.uint8))
        assert (found.tolist(), end) == (values, len(data))
    stored = recover_module().Stored(data, [], 0)
    assert list(stored.integers(contexts)) == values
    assert stored.at == len(data)
