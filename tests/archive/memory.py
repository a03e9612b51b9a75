"""Deposit two large relatives and restore one, and say how much memory of its own that took.

``python memory.py FOLDER MEGABYTES THREADS`` prints the most in MiB: of a deposit by itself, one
against a parent, and a restore.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from makers import NOW, archive_in
from otium.archive import Archive
from otium.records import ModelId
from otium.store import LocalStore

ROWS, COLUMNS = 4096, 4096
TEXT = 9 << 20


def most(work: Callable[[], object]) -> int:
    """Return the most memory of its own that this process had during *work*, in MiB."""
    seen, over = [own()], threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            seen.append(own())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    over.set()
    watcher.join()
    return max(seen) >> 10


def own() -> int:
    """Return the resident anonymous memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def write(path: Path, megabytes: int, steps: int) -> Path:
    """Write weights as large as asked for, one tensor after the other, and a long text."""
    path.mkdir()
    size, header = 2 * ROWS * COLUMNS, {}
    count = -(-(megabytes << 20) // size)
    for n in range(count):
        spans = [n * size, (n + 1) * size]
        name = f"model.layers.{n}.mlp.up_proj.weight"
        header[name] = {"dtype": "BF16", "shape": [ROWS, COLUMNS], "data_offsets": spans}
    head = json.dumps(header).encode()
    rng = np.random.default_rng(1)
    block = rng.normal(0, 0.02, ROWS * COLUMNS // 8).astype(np.float32)
    bits = np.tile((block.view(np.uint32) >> 16).astype(np.uint16), 8)
    with (path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for n in range(count):
            moved = np.roll(bits, 77 * n) + np.arange(bits.size, dtype=np.uint32) // (1 << 18) % 7
            change = np.arange(bits.size) * (2 * n + 1) % 11 < steps
            file.write((moved + change).astype(np.uint16).tobytes())
    words = rng.integers(0, 5000, TEXT // 6).astype(str)
    (path / "tokenizer.json").write_text(json.dumps(words.tolist()))
    return path


def main(root: Path, megabytes: int, threads: int) -> None:
    """Do as the module says."""
    os.cpu_count = lambda: threads
    os.fsync = lambda _handle: None  # type: ignore[assignment]
    archive = archive_in(LocalStore(root / "archive"))
    taken = []
    for steps in (0, 3):
        path, model = write(root / f"{steps}", megabytes, steps), ModelId(f"m-{steps}")
        archive = Archive.open(archive.store)
        taken.append(most(partial(archive.add, model, path, deposited=NOW)))
    packs = sum(archive.store.size(name) for name in archive.store.list("packs/"))
    taken.append(most(partial(archive.restore, ModelId("m-3"), root / "out")))
    sys.stdout.write(f"{' '.join(map(str, taken))} {packs >> 20}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
