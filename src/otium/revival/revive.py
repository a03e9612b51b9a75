"""An archived model, out of the archive and running again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from otium.archive import Archive, Manifest
from otium.engine import Endpoint, Engine, HttpModel, LlamaCpp
from otium.errors import FingerprintDiffers
from otium.fingerprints import Certificate, Fingerprint, compare, hardware
from otium.records import Instant, ModelId, Progress, silent
from otium.revival.materialise import Cache, materialised

_LLAMA = LlamaCpp()


@dataclass(frozen=True)
class Revived:
    """A model that runs again, with the certificate that it behaves as it did, if one was made."""

    endpoint: Endpoint
    model: HttpModel
    certificate: Certificate | None = None


@contextmanager
def revive(
    archive: Archive,
    model: ModelId,
    cache: Path | Cache,
    *,
    engine: Engine = _LLAMA,
    manifest: Manifest | None = None,
    fingerprint: Fingerprint | None = None,
    now: Instant,
    progress: Progress = silent,
) -> Iterator[Revived]:
    """Run *model* from the archive until the block ends, compared with its *fingerprint*.

    *manifest* is what the ledger vouches for; without one the archive is believed. The engine's
    code is loaded while the files are on their way, and no files are brought for an engine that
    reads none. *progress* hears the stages of ``Stages``. Raises FingerprintDiffers if it does
    not behave as it did, before anyone can speak to it, and what `materialised` raises.
    """
    engine.prepare()
    manifest = manifest or archive.manifest(model)
    with ExitStack() as stack:
        files = Path()
        if engine.reads_files:
            there = materialised(archive, model, cache, progress, manifest=manifest)
            files = stack.enter_context(there)
        progress("start", 0, 1)
        running = engine.run(files, model=model, weights=manifest.weights)
        endpoint = stack.enter_context(running)
        alive = HttpModel(endpoint)
        progress("certify", 0, 1)
        certificate = (
            compare(fingerprint, alive, now=now, hardware=hardware()) if fingerprint else None
        )
        if certificate and certificate.verdict == "different":
            raise FingerprintDiffers(model=model, why=_reason(certificate))
        progress("ready", 1, 1)
        yield Revived(endpoint, alive, certificate)


def _reason(certificate: Certificate) -> str:
    asked = len(certificate.asked)
    said = f"the test is {certificate.decision} after {asked} of its prompts; " if asked else ""
    return said + (
        f"{certificate.tokens_equal} of {certificate.tokens_compared} tokens are equal, and "
        f"log-probabilities differ by {certificate.mean_difference:.3f} nats in the mean and "
        f"{certificate.largest_difference:.3f} at most"
    )
