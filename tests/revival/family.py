"""A base and a fine-tune of some megabytes, in an archive: the fine-tune is kept as a delta."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from otium.archive import Archive
from otium.records import Instant, ModelId
from otium.store import LocalStore, Store

NOW = Instant("2026-11-22T00:00:00Z")
BASE, TUNED = ModelId("base"), ModelId("tuned")
SHAPE = (2048, 1024)


def model(folder: Path, seed: int) -> Path:
    """Write a model of bf16 tensors; another *seed* than 0 is a light update of the base."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    values = [rng.normal(0, 0.02, SHAPE).astype("<f4") for _ in range(3)]
    if seed:
        other = np.random.default_rng(seed)
        values = [one + other.normal(0, 1e-4, SHAPE).astype("<f4") for one in values]
    data = [(one.view("<u4") >> 16).astype("<u2").tobytes() for one in values]
    header, at = {}, 0
    for number, one in enumerate(data):
        offsets = [at, at + len(one)]
        header[f"layers.{number}.weight"] = {
            "dtype": "BF16",
            "shape": SHAPE,
            "data_offsets": offsets,
        }
        at += len(one)
    text = json.dumps(header).encode()
    whole = len(text).to_bytes(8, "little") + text + b"".join(data)
    (folder / "model.safetensors").write_bytes(whole)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    return folder


def archived(root: Path, store: Store | None = None) -> Archive:
    """Return an archive of the base and its fine-tune."""
    made = Archive.create(
        store or LocalStore(root / "archive"),
        archive_id="test",
        created=NOW,
        origin="example.org/log",
        keys=[],
    )
    made.add(BASE, model(root / "base", 0), deposited=NOW)
    made.add(TUNED, model(root / "tuned", 1), deposited=NOW, parents=[BASE])
    return made


def there(folder: Path) -> dict[str, bytes]:
    """Return all files of a directory."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
