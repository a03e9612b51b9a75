"""How fast a model comes back: raw files, the archive over a slow store, processes, all together.

All that is compared is run in turn in the same round, in an order that rotates, since whatever
else the machine does hits all alike; a ratio is taken within a round. The load of the machine
stands beside each figure: with more at work than it has cores, what needs the processor is slow
and what waits for the disk is not.
"""

from __future__ import annotations

import mmap
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median, quantiles

from blake3 import blake3

from otium.archive import Archive
from otium.engine import HttpModel, LlamaCpp, Message, Options, packaged_weights
from otium.errors import BadData
from otium.records import Instant, ModelId, Progress, SystemClock, silent
from otium.revival import copy_verified, materialise, read_direct, revive, verify_file
from otium.reviving.records import Returned, Throttled, Way
from otium.store import LocalStore, Span, Store

RATES = {"200 MB/s": 200e6, "1 GB/s": 1e9}
_BLOCK = 8 << 20
_LIMIT, _RAW = "direct reads, the limit", "raw tier, verified"
_BARE = "its raw bytes, read only"
_COLD, _NEAR = "from the archive, nothing here", "from the archive, its base here"
_SPAWNS = {"zygote": 60, "fresh": 5}
_BASE, _TUNED = ModelId("base"), ModelId("tuned")
_TINY = LlamaCpp(context=256)
_ASKED = (Message(role="user", content="Name a tree."),)
_FIRST = Options(max_tokens=1)


def revival_bench(
    work: Path,
    *,
    model: Path | None = None,
    family: Path | None = None,
    only: Sequence[str] = (),
    rounds: int = 3,
    size: int = 256 << 20,
    progress: Progress = silent,
) -> Returned:
    """Measure how a model comes back, and return all figures.

    *model* is a GGUF file, the demo's weights without one; *family* a directory of safetensors
    as ``otium bench archive`` takes it: without one the delta tier is measured on *model* with
    the demo's adapter. *size* is how many bytes the raw tier reads. Raises BadData, NoDemoWeights.
    """
    if unknown := set(only) - set(RETURNS):
        raise BadData(path="--only", why=f"there is no section {', '.join(sorted(unknown))}")
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="otium-revival-", dir=work) as place:
        way = Way(Path(place), model or packaged_weights(), family, rounds, size, progress)
        for name, measure in RETURNS.items():
            if not only or name in only:
                measure(way)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    found = tuple(way.rows), tuple(way.goals), tuple(way.notes)
    return Returned(machine, os.cpu_count() or 1, rounds, *found)


def raw(way: Way) -> None:
    """Read a stock file from the disk: straight, verified, and as one would without thought."""
    file = _Raw(way)
    with file.memory():
        seconds = way.turns(
            "raw",
            {
                _LIMIT: file.limit,
                _RAW: file.verified,
                "raw tier, verified, into memory that an engine maps": file.into_memory,
                "naive read, verified": file.naive,
                "mmap, verified": file.mapped,
            },
        )
    top = seconds[_LIMIT]
    for name, each in seconds.items():
        way.note("raw", name, "GB/s", [file.size / one / 1e9 for one in each])
        if each is not top:
            way.note("raw", f"  of the limit: {name}", "", _ratios(top, each))
    way.reach("raw tier, verified, of the limit", "more", 0.90, _ratios(top, seconds[_RAW]))


class _Raw:
    """A stock file on the disk that is measured, and the ways to read it."""

    def __init__(self, way: Way) -> None:
        self.path, self.size = way.work / "raw.bin", 0
        model = way.model.read_bytes()
        with self.path.open("wb") as out:
            while self.size < way.size:
                self.size += out.write(model[: way.size - self.size])
            out.flush()
            os.fsync(out.fileno())
        self.expected = blake3(self.path.read_bytes()).hexdigest()
        self.target = -1

    @contextmanager
    def memory(self) -> Iterator[None]:
        """Have a file in memory, without a name."""
        memory = Path("/dev/shm")  # noqa: S108 - the tmpfs
        place = memory if memory.is_dir() else self.path.parent
        with tempfile.TemporaryFile(dir=place) as file:
            self.target = file.fileno()
            yield

    def limit(self) -> None:
        for _ in read_direct(self.path):
            pass

    def verified(self) -> None:
        verify_file(self.path, self.expected, lambda _: None)

    def into_memory(self) -> None:
        os.ftruncate(self.target, 0)
        copy_verified(self.path, self.expected, self.target, lambda _: None)

    def naive(self) -> None:
        _forget(self.path)
        blake3(self.path.read_bytes())

    def mapped(self) -> None:
        _forget(self.path)
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        ):
            blake3(whole)


def delta(way: Way) -> None:
    """Bring a model out of the archive over a slow store; beside it, its raw bytes over it."""
    archive, about = _family(way)
    tuned = archive.manifest(_TUNED)
    total = sum(file.size for file in tuned.files)
    plain = way.work / "plain"
    materialise(archive, _TUNED, plain)
    raws = LocalStore(way.work / "raws")
    raws.put("raw", b"".join((_at(plain) / file.path).read_bytes() for file in tuned.files))
    way.notes.append(f"delta: {about}, {total:,} bytes")
    for name, rate in RATES.items():
        race = _Race(way, archive, raws, rate, total)
        seconds = race.run(name)
        for what, each in seconds.items():
            way.note("delta", f"{name}: {what}", "s", each)
        for what in (_COLD, _NEAR):
            times = _ratios(seconds[_BARE], seconds[what])
            way.note("delta", f"{name}, times as fast as raw: {what}", "", times)
            way.reach(f"{name}, {what}: times as fast as raw", "more", 1.0, times)
        said = ", ".join(f"{share:.2f} {what}" for what, share in race.shares.items())
        way.notes.append(f"delta at {name}: of the raw bytes are read {said}")


@dataclass
class _Race:
    """A model over a store of some rate: its raw bytes, and out of the archive."""

    way: Way
    archive: Archive
    raws: Store
    rate: float
    total: int
    shares: dict[str, float] = field(default_factory=dict)

    def run(self, name: str) -> dict[str, list[float]]:
        """Return the seconds of each."""
        cold, warm = self.way.work / "cold", self.way.work / "warm"

        def near() -> None:
            shutil.rmtree(warm, ignore_errors=True)
            materialise(self.archive, _BASE, warm)

        return self.way.turns(
            f"delta at {name}",
            {
                _BARE: lambda: self.read(lambda _: None),
                "its raw bytes, read, verified, written": self.keep,
                _COLD: lambda: self.bring(cold, _COLD),
                _NEAR: lambda: self.bring(warm, _NEAR),
            },
            {_COLD: lambda: shutil.rmtree(cold, ignore_errors=True), _NEAR: near},
        )

    def read(self, sink: Callable[[bytes], object]) -> None:
        """Read the raw bytes, four stretches at once."""
        slow = Throttled(self.raws, self.rate)
        spans = [Span(at, min(_BLOCK, self.total - at)) for at in range(0, self.total, _BLOCK)]
        with ThreadPoolExecutor(4) as pool:
            for data in pool.map(lambda span: slow.get("raw", span), spans):
                sink(data)

    def keep(self) -> None:
        """Read them, take their digest and write them, as any cache would."""
        sha = blake3()
        with (self.way.work / "kept").open("wb") as file:
            self.read(lambda data: (sha.update(data), file.write(data)))

    def bring(self, cache: Path, what: str) -> None:
        """Bring the model out of the archive."""
        slow = Throttled(self.archive.store, self.rate)
        materialise(Archive(slow, self.archive.info), _TUNED, cache)
        self.shares[what] = slow.read / self.total


def spawn(way: Way) -> None:
    """Start processes that are ready to load a model, without loading one."""
    for name, count in _SPAWNS.items():
        engine = LlamaCpp(context=256, spawn="zygote" if name == "zygote" else "fresh")
        engine.awake()
        way.progress("spawn", 0, 1)
        times = [1000 * engine.awake() for _ in range(count)]
        way.note("spawn", f"{name}, p50", "ms", [median(times)])
        high = quantiles(times, n=20)[-1]
        way.note("spawn", f"{name}, p95 of {count}", "ms", [high])
        if name == "zygote":
            way.reach("spawn to ready, p95", "less", 60, [high], unit="ms")


def whole(way: Way) -> None:
    """Revive a model to its first token: from the archive, and from what lies in the cache."""
    archive = _created(way.work / "whole")
    archive.add(_BASE, way.model, deposited=_now())
    cache = way.work / "back"
    engine = _TINY

    def back(before: Callable[[], object]) -> dict[str, float]:
        before()
        moments = {"begin": time.perf_counter()}

        def tell(what: str, done: int, total: int) -> None:  # noqa: ARG001 - the seam's
            moments.setdefault(what, time.perf_counter())

        with revive(archive, _BASE, cache, engine=engine, now=_now(), progress=tell) as alive:
            alive.model.chat(_ASKED, _FIRST)
            end = time.perf_counter()
        return {
            "files": moments["start"] - moments["begin"],
            "start of the engine": moments["ready"] - moments["start"],
            "first token": end - moments["ready"],
            "all": end - moments["begin"],
        }

    def clear() -> None:
        shutil.rmtree(cache, ignore_errors=True)

    for how, before in {"from the archive": clear, "from the cache": lambda: None}.items():
        way.progress(f"whole, {how}", 0, 1)
        found = [back(before) for _ in range(way.rounds)]
        for stage in found[0]:
            way.note("whole", f"{how}: {stage}", "s", [one[stage] for one in found])


def swap(way: Way) -> None:
    """Go from one model to another and back; beside it, as llama-server's router does it."""
    one, other = way.work / "one", way.work / "other"
    for folder, adapted in ((one, False), (other, True)):
        _pair(way.model, folder, adapted=adapted)

    def to(folder: Path, engine: LlamaCpp) -> None:
        with engine.run(folder, model=_BASE, weights=blank) as endpoint:
            HttpModel(endpoint).chat(_ASKED, _FIRST)

    blank = _created(way.work / "blank").info.digest()
    acts: dict[str, Callable[[], object]] = {}
    for name, engine in {
        "zygote": _TINY,
        "a new process each, as llama-server's router": LlamaCpp(context=256, spawn="fresh"),
    }.items():
        acts[f"{name}: to the model with an adapter"] = partial(to, other, engine)
        acts[f"{name}: and back"] = partial(to, one, engine)
    for what, each in way.turns("swap", acts).items():
        way.note("swap", what, "s", each)
    way.notes.append(
        "swap: stop, start, first token, files in the page cache; no llama-server is installed "
        "here: its router's way (a new process a model) is played with our child process"
    )


RETURNS: dict[str, Callable[[Way], None]] = {
    "raw": raw,
    "delta": delta,
    "spawn": spawn,
    "whole": whole,
    "swap": swap,
}


def _ratios(peer: Sequence[float], ours: Sequence[float]) -> list[float]:
    return [one / two for one, two in zip(peer, ours, strict=True)]


def _now() -> Instant:
    return SystemClock().now()


def _at(cache: Path) -> Path:
    (found,) = (path for path in cache.iterdir() if not path.name.startswith("."))
    return found


def _forget(path: Path) -> None:
    """Drop a file's bytes from the page cache."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _created(root: Path) -> Archive:
    return Archive.create(
        LocalStore(root), archive_id="bench", created=_now(), origin="bench", keys=[]
    )


def _family(way: Way) -> tuple[Archive, str]:
    """Return an archive of a base and what was made from it, and what that is."""
    archive = _created(way.work / "archive")
    if way.family is None:
        for name, adapted in ((_BASE, False), (_TUNED, True)):
            folder = way.work / f"in-{name}"
            _pair(way.model, folder, adapted=adapted)
            archive.add(name, folder, deposited=_now())
        return archive, f"{way.model.name} with the demo's adapter"
    tuned = [path for path in sorted(way.family.glob("*.safetensors")) if path.stem != "base"]
    found = [path for path in tuned if not path.stem.startswith(("base", "lora"))]
    if not found or not (way.family / "base.safetensors").is_file():
        raise BadData(path=way.family, why="it holds no base.safetensors and fine-tune of it")
    archive.add(_BASE, way.family / "base.safetensors", deposited=_now())
    archive.add(_TUNED, found[0], deposited=_now(), parents=[_BASE])
    return archive, f"{found[0].name} of {way.family.name}"


def _pair(model: Path, folder: Path, *, adapted: bool) -> None:
    """Lay a model's directory, with the demo's adapter or without."""
    folder.mkdir()
    try:
        (folder / "model.gguf").hardlink_to(model)
    except OSError:  # another disk
        shutil.copy(model, folder / "model.gguf")
    if adapted:
        with as_file(files("otium") / "data" / "models" / "successor-lora.gguf") as adapter:
            shutil.copy(adapter, folder / "adapter.gguf")
