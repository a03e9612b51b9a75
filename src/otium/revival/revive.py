"""An archived model, out of the archive and running again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from otium.archive import Archive
from otium.engine import Endpoint, Engine, HttpModel, LlamaCpp
from otium.errors import FingerprintDiffers
from otium.fingerprints import Certificate, Fingerprint, compare, hardware
from otium.records import Instant, ModelId, Progress, silent
from otium.revival.materialise import Cache, materialise

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
    fingerprint: Fingerprint | None = None,
    now: Instant,
    progress: Progress = silent,
) -> Iterator[Revived]:
    """Run *model* from the archive until the block ends, compared with its *fingerprint*.

    Its engine's code is loaded while its files are on their way. *progress* hears the stages of
    ``Stages``. Raises FingerprintDiffers if it does not behave as it did, before anyone can speak
    to it, and what `materialise` raises.
    """
    if isinstance(engine, LlamaCpp):
        engine.prepare()
    files = materialise(archive, model, cache, progress)
    weights = archive.manifest(model).weights
    progress("start", 0, 1)
    with engine.run(files, model=model, weights=weights) as endpoint:
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
