"""An archived model, out of the archive and running again."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from otium.archive import Archive
from otium.engine import Endpoint, Engine, HttpModel, LlamaCpp
from otium.errors import FingerprintDiffers
from otium.fingerprints import Certificate, Fingerprint, compare, hardware
from otium.records import Digest, Instant, ModelId, Progress, hexadecimal, silent

_LLAMA = LlamaCpp()
_DIGITS = 16


@dataclass(frozen=True)
class Revived:
    """A model that runs again, with the certificate that it behaves as it did, if one was made."""

    endpoint: Endpoint
    model: HttpModel
    certificate: Certificate | None = None


class _Marker(msgspec.Struct, frozen=True):
    """What stands beside restored files: what they are and how the system saw them last."""

    weights: Digest
    files: dict[str, tuple[int, int]]
    """Path to size and time of change, in nanoseconds."""


def materialise(archive: Archive, model: ModelId, cache: Path, progress: Progress = silent) -> Path:
    """Return a directory under *cache* with the model's files, restored if they are not there.

    Every digest is verified on restoring. Files that were restored before are used again if
    no size or time of change differs from what was then seen, and *progress* hears of it;
    otherwise they are restored anew. Several processes may ask at once.
    """
    manifest = archive.manifest(model)
    name = hexadecimal(manifest.weights)[:_DIGITS]
    target, marker = cache / name, cache / f"{name}.json"
    total = sum(file.size for file in manifest.files)
    with _turn(cache, name):
        if _fits(target, marker, manifest.weights):
            progress("weights in the cache, used again", total, total)
            return target
        _restore(archive, model, target, progress)
        seen = _Marker(weights=manifest.weights, files=_look(target))
        marker.write_bytes(msgspec.json.encode(seen))
    return target


@contextmanager
def revive(
    archive: Archive,
    model: ModelId,
    cache: Path,
    *,
    engine: Engine = _LLAMA,
    fingerprint: Fingerprint | None = None,
    now: Instant,
    progress: Progress = silent,
) -> Iterator[Revived]:
    """Run *model* from the archive until the block ends, compared with its *fingerprint*.

    Raises FingerprintDiffers if it does not behave as it did, before anyone can speak to it.
    """
    files = materialise(archive, model, cache, progress)
    weights = archive.manifest(model).weights
    with engine.run(files, model=model, weights=weights) as endpoint:
        alive = HttpModel(endpoint)
        certificate = (
            compare(fingerprint, alive, now=now, hardware=hardware()) if fingerprint else None
        )
        if certificate and certificate.verdict == "different":
            raise FingerprintDiffers(model=model, why=_reason(certificate))
        yield Revived(endpoint, alive, certificate)


def _reason(certificate: Certificate) -> str:
    return (
        f"{certificate.tokens_equal} of {certificate.tokens_compared} tokens are equal, and "
        f"log-probabilities differ by {certificate.mean_difference:.3f} nats in the mean and "
        f"{certificate.largest_difference:.3f} at most"
    )


@contextmanager
def _turn(cache: Path, name: str) -> Iterator[None]:
    """Wait until no other process or thread restores these files."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _restore(archive: Archive, model: ModelId, target: Path, progress: Progress) -> None:
    prefix = f".{target.name}-"
    for leftover in target.parent.glob(f"{prefix}*"):  # of a process that died here
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as folder:
        fresh = Path(folder)
        archive.restore(model, fresh / "new", progress=progress)
        if target.exists():
            target.rename(fresh / "old")
        (fresh / "new").rename(target)


def _fits(target: Path, marker: Path, weights: Digest) -> bool:
    try:
        seen = msgspec.json.decode(marker.read_bytes(), type=_Marker)
        return seen == _Marker(weights=weights, files=_look(target))
    except (OSError, msgspec.DecodeError):
        return False


def _look(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = Path(at) / name
            stat = path.lstat()
            found[path.relative_to(folder).as_posix()] = (stat.st_size, stat.st_mtime_ns)
    return found
