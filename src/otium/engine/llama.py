"""llama.cpp in a child process, as an endpoint."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Protocol

import msgspec

from otium.engine.records import Endpoint, Identity
from otium.engine.spawn import Child, Spawn, spawned, told, zygote
from otium.engine.weights import Weights, find_weights
from otium.errors import EngineFailed, EngineUnavailable
from otium.records import Digest, ModelId

_PATIENCE = 10.0
_TAIL = 4000
_LINES = 6
_STAMP = re.compile(r"^[\d.]+ E ")


class Settings(msgspec.Struct, frozen=True):
    """What the child is told: what to load and how to run it."""

    model: str
    base: str
    adapter: str | None
    api_key: str
    context: int
    threads: int
    batch_threads: int


_NOTHING = Settings(
    model="", base="", adapter=None, api_key="", context=0, threads=1, batch_threads=1
)


class Ready(msgspec.Struct, frozen=True):
    """What the child answers: where its server listens, and the version that it has loaded."""

    address: str
    version: str = ""


class Engine(Protocol):
    """What can run a model."""

    @property
    def reads_files(self) -> bool:
        """Return whether it runs the files that it is given: not if somebody else has them."""
        ...

    def prepare(self) -> None:
        """Begin to load the engine's code, while a model's files are still on their way."""
        ...

    def run(
        self, files: Path, *, model: ModelId, weights: Digest
    ) -> AbstractContextManager[Endpoint]:
        """Run the weights in *files* until the block ends."""
        ...


@dataclass(frozen=True, kw_only=True)
class LlamaCpp:
    """llama.cpp: one slot, uncached, so that equal requests get equal answers.

    One thread decodes and two read prompts: more threads fall far behind on a busy machine.
    The engine's errors are appended to *log*, if it is given.
    """

    context: int = 4096
    threads: int = 1
    batch_threads: int = 2
    log: Path | None = None
    start_limit: float = 120.0
    spawn: Spawn = "zygote"
    """``fresh`` starts an interpreter for each model, which takes longer."""
    reads_files: ClassVar[bool] = True

    def prepare(self) -> None:
        """Begin to load the engine's code, while a model's files are still on their way."""
        if self.spawn == "zygote":
            zygote().prepare()

    @contextmanager
    def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
        """Run the weights in *files* until the block ends.

        Raises EngineUnavailable if there is nothing here to run them, EngineFailed with the
        end of the engine's log if it does not come up.
        """
        found = find_weights(files)
        _version()
        key = secrets.token_urlsafe(24)
        with self._log() as log, spawned(log, self.spawn) as child:
            ready = self._start(child, log, self._settings(model, found, key))
            # The child's own word: a zygote may have loaded what an upgrade has replaced since.
            identity = self._identity(model, weights, ready.version)
            yield Endpoint(base_url=f"{ready.address}/v1", api_key=key, identity=identity)

    def awake(self) -> float:
        """Return the seconds until a new process can take a model, without reading any."""
        with self._log() as log:
            began = time.monotonic()
            with spawned(log, self.spawn) as child:
                nothing = msgspec.structs.replace(_NOTHING, context=self.context)
                line = child.exchange(msgspec.json.encode(nothing) + b"\n", self.start_limit)
                seconds = time.monotonic() - began
        if not line:
            raise EngineFailed(model="no model", why="its process did not come up")
        return seconds

    def _identity(self, model: ModelId, weights: Digest, version: str) -> Identity:
        flags = {
            "context": str(self.context),
            "threads": str(self.threads),
            "batch_threads": str(self.batch_threads),
            "slots": "1",
            "cache": "off",
        } | told(os.environ)
        engine = f"llama.cpp/xllamacpp-{version}"
        return Identity(model=model, weights=weights, engine=engine, flags=flags)

    def _settings(self, model: ModelId, found: Weights, key: str) -> Settings:
        return Settings(
            model=model,
            base=str(found.base.absolute()),
            adapter=str(found.adapter.absolute()) if found.adapter else None,
            api_key=key,
            context=self.context,
            threads=self.threads,
            batch_threads=self.batch_threads,
        )

    @contextmanager
    def _log(self) -> Iterator[IO[bytes]]:
        with self.log.open("a+b") if self.log else tempfile.TemporaryFile() as file:
            yield file

    def _answer(self, line: bytes, model: str) -> Ready:
        try:
            return msgspec.json.decode(line, type=Ready)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineFailed(model=model, why=f"it answered {line[:80]!r}") from error

    def _start(self, child: Child, log: IO[bytes], settings: Settings) -> Ready:
        start = log.seek(0, os.SEEK_END)
        line = child.exchange(msgspec.json.encode(settings) + b"\n", self.start_limit)
        if line:
            return self._answer(line, settings.model)
        if line is None:
            child.kill()
            why = f"it was not ready within {self.start_limit:g} s"
        else:
            why = _ending(child.wait(_PATIENCE))
        log.seek(start)
        said = _said(log.read()[-_TAIL:])
        raise EngineFailed(model=settings.model, why=f"{why}: {said}" if said else why)


def runtime() -> dict[str, str]:
    """Return the names and versions of what runs models here."""
    return {
        "xllamacpp": _version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _version() -> str:
    try:
        return importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError as error:
        raise EngineUnavailable(what="GGUF models", why="xllamacpp is not installed") from error


def _ending(status: int | None) -> str:
    if status is None:
        return "it ended"
    return f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"


def _said(log: bytes) -> str:
    lines = [_STAMP.sub("", line).strip() for line in log.decode(errors="replace").splitlines()]
    return "; ".join(list(dict.fromkeys(line for line in lines if line))[:_LINES])
