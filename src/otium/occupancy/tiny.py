"""Two hundred models that are quick to make: random weights, a small process for each."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from otium.engine import Endpoint, Identity
from otium.errors import EngineFailed
from otium.occupancy.traces import Trace
from otium.records import Digest, ModelId
from otium.residence import Running

_CHILD = Path(__file__).with_name("child.py")
_PROCESS = 8_000_000
"""Bytes that a bare interpreter holds; a first estimate."""
_PATIENCE = 20.0


@dataclass(frozen=True, eq=False)
class Tiny:
    """One model: a file of random bytes."""

    model: ModelId
    path: Path
    size: int
    known: hashlib._Hash
    """The SHA-256 of the weights, to be gone on with."""

    @property
    def weights(self) -> Digest:
        """Return the digest of the weights."""
        return Digest("sha256:" + self.known.hexdigest())

    def answer(self, question: bytes) -> str:
        """Return what only these weights answer to the question."""
        known = self.known.copy()
        known.update(question)
        return known.hexdigest()


class Plant:
    """Makes the models, starts their engines, and knows which processes are alive."""

    def __init__(self, folder: Path, trace: Trace, *, seed: int, milliseconds: float) -> None:
        """Write each of the trace's models: so many bytes as it holds beside its process."""
        self._milliseconds = milliseconds
        self._random = Random(seed)
        self._lock = threading.Lock()
        self.alive: dict[ModelId, subprocess.Popen[bytes]] = {}
        self.begun: Counter[ModelId] = Counter()
        self.twice = 0
        """How often an engine was started beside another of its model."""
        self.killed = 0
        self.models = {
            model: self._make(folder, model, max(int(size) - _PROCESS, 1000))
            for model, size in zip(trace.models, trace.sizes.tolist(), strict=True)
        }

    def size(self, model: ModelId) -> int:
        """Return a first estimate of what an engine holds, in bytes."""
        return self.models[model].size + _PROCESS

    @contextmanager
    def start(self, model: ModelId) -> Iterator[Running]:
        """Run a model's engine until the block ends."""
        tiny = self.models[model]
        command = [sys.executable, "-I", "-S", str(_CHILD), str(tiny.path), model]
        with subprocess.Popen(
            [*command, str(self._milliseconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            self._note(model, child)
            try:
                yield Running(endpoint=_endpoint(tiny, child))
            finally:
                with self._lock:
                    del self.alive[model]
                _end(child)

    def kill_one(self) -> None:
        """Kill any one engine, whatever it does at this moment."""
        with self._lock:
            if self.alive:
                child = self.alive[self._random.choice(sorted(self.alive))]
                child.send_signal(signal.SIGKILL)
                self.killed += 1

    def _note(self, model: ModelId, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self.begun[model] += 1
            self.twice += model in self.alive
            self.alive[model] = child

    def _make(self, folder: Path, model: ModelId, size: int) -> Tiny:
        path = folder / f"{model}.weights"
        data = self._random.randbytes(size)
        path.write_bytes(data)
        return Tiny(model, path, size, hashlib.sha256(data))


def held(processes: list[int]) -> int:
    """Return the bytes that processes hold together, each page divided among its holders."""
    total = 0
    for number in processes:
        with suppress(OSError):
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
            total += int(text.partition("Pss:")[2].split()[0]) * 1024
    return total


def _endpoint(tiny: Tiny, child: subprocess.Popen[bytes]) -> Endpoint:
    line = child.stdout.readline() if child.stdout else b""
    if not line:
        raise EngineFailed(model=tiny.model, why="its process ended")
    identity = Identity(model=tiny.model, weights=tiny.weights, engine="tiny/1")
    url = f"http://127.0.0.1:{int(line)}/v1"
    return Endpoint(base_url=url, api_key="", identity=identity)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with suppress(BrokenPipeError):
            child.stdin.close()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
