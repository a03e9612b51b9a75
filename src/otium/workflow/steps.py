"""What one does with a model at the end of its deployed life, each as one call.

Commands, pages and the demo all go through here. Every step finds by content whether it was
done and then returns what was filed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from otium.archive import Manifest
from otium.engine import HttpModel, Model
from otium.errors import BadRecord, BrokenLedger, NotFound, Unsupported
from otium.evidence import Transcript
from otium.fingerprints import (
    Calibration,
    Certificate,
    Fingerprint,
    Scope,
    compare,
    fingerprint_prompts,
    hardware,
    read_calibration,
    storage_of,
    take_fingerprint,
)
from otium.lifecycle import revived
from otium.preferences import tell
from otium.records import Digest, Instant, ModelId, Part, Progress, silent
from otium.revival import materialise, revive
from otium.store import LocalStore
from otium.transition import TransitionGuide, write_guide
from otium.web import Site, build_site
from otium.workflow.home import SCRATCH, Home, archive_store


def fingerprint_model(
    home: Home, subject: ModelId, model: Model, *, few: int | None = None
) -> Fingerprint:
    """Record how *model* behaves, so that a revival can be certified.

    *few* limits how many of the prompts are asked, for a demonstration.
    """

    def take() -> Fingerprint:
        prompts = fingerprint_prompts()
        chosen = prompts.prompts[:: -(-len(prompts.prompts) // few)] if few else prompts.prompts
        return take_fingerprint(
            model,
            msgspec.structs.replace(prompts, prompts=chosen),
            now=home.registry.clock.now(),
            hardware=hardware(),
            storage=_stored(home, subject),
        )

    return home.registry.file(
        "fingerprint.recorded", subject, "fingerprint.json", Fingerprint, take
    )


def _stored(home: Home, subject: ModelId) -> str:
    """Return how the archived weights are stored, empty if they are not there or not GGUF."""
    try:
        return storage_of(materialise(home.archive, subject, home.cache))
    except NotFound:
        return ""


def restore_drill(home: Home, subject: ModelId, *, progress: Progress = silent) -> Manifest:
    """Restore a model into a directory that is thrown away, and log that it worked."""
    started = time.monotonic()
    home.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=home.cache) as scratch:
        manifest = home.archive.restore(subject, Path(scratch) / "files", progress=progress)
    home.registry.restored(subject, manifest.weights, time.monotonic() - started)
    return manifest


def guide_users(
    home: Home,
    subject: ModelId,
    retiring: Model,
    successor: Model,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> TransitionGuide:
    """Compare both models on the same prompts and publish the transition guide."""
    return write_guide(home.registry, subject, retiring, successor, limit=limit, progress=progress)


def tell_decision(home: Home, preference: str, model: Model) -> Transcript:
    """Tell *model* what was decided on its preference, or came of it; keep that, verbatim.

    Raises UnknownPreference, and PreferenceState if nothing was decided yet.
    """
    return tell(home.registry, preference, model)


def revive_model(home: Home, subject: ModelId, *, progress: Progress = silent) -> Certificate:
    """Start an archived model, compare it with its fingerprint, and log the certificate."""
    fingerprint = home.registry.filed(subject, "fingerprint.json", Fingerprint)
    now = home.registry.clock.now()
    with revive(
        home.archive,
        subject,
        home.cache,
        engine=home.engine,
        manifest=home.registry.manifest(subject),
        fingerprint=fingerprint,
        now=now,
        progress=progress,
    ) as alive:
        assert alive.certificate is not None
        revived(home.registry, subject, alive.certificate)
        return alive.certificate


def drill_model(
    home: Home,
    subject: ModelId,
    *,
    calibration: Path | None = None,
    progress: Progress = silent,
) -> Certificate:
    """Start an archived model, ask it the whole battery, and log the certificate, also a bad one.

    *calibration* is a file to judge by in place of otium's own. Raises BadData, BadRecord for it,
    UnknownRecord without a fingerprint; EngineFailed, DamagedObject.
    """
    tests = read_calibration(calibration)
    manifest = home.registry.manifest(subject)
    files = materialise(home.archive, subject, home.cache, progress, manifest=manifest)
    found = _certified(home, subject, files, manifest.weights, "battery", tests)
    revived(home.registry, subject, found)
    return found


def certify_files(
    home: Home,
    subject: ModelId,
    files: Path,
    *,
    scope: Scope = "canary",
    calibration: Path | None = None,
) -> Certificate:
    """Compare what runs from *files* with the fingerprint of *subject*; nothing is logged.

    The files need not be the archived ones: the certificate's label says what they are.
    *calibration* is a file to judge by in place of otium's own; raises BadData, BadRecord for it.
    """
    tests = read_calibration(calibration)
    return _certified(home, subject, files, home.archive.plan(files).weights, scope, tests)


def _certified(  # noqa: PLR0917 - what a certificate rests on
    home: Home,
    subject: ModelId,
    files: Path,
    weights: Digest,
    scope: Scope,
    calibration: Calibration,
) -> Certificate:
    fingerprint = home.registry.filed(subject, "fingerprint.json", Fingerprint)
    with home.engine.run(files, model=subject, weights=weights) as endpoint:
        return compare(
            fingerprint,
            HttpModel(endpoint),
            now=home.registry.clock.now(),
            scope=scope,
            hardware=hardware(),
            storage=storage_of(files),
            calibration=calibration,
        )


def build_pages(home: Home) -> Site:
    """Build the public site."""
    return build_site(home.registry, home.site, now=home.registry.clock.now())


class MonitoredDuty(Part, forbid_unknown_fields=False):
    """One line of the monitor's table."""

    commitment: str
    subject: str
    state: str
    due: str | None
    why: str


class Monitored(Part, forbid_unknown_fields=False):
    """What the stand-alone monitor found."""

    summary: str
    verified: bool
    exit_code: int
    """0: verified, all in time; 1: verified, something is late or broken; 2: not verified."""
    duties: tuple[MonitoredDuty, ...]
    problems: tuple[str, ...] = ()


def monitor(path: Path, *, now: Instant | None = None) -> Monitored:
    """Run the archive's own stand-alone monitor from outside, and return what it found.

    Raises BrokenLedger if it cannot even say that, Unsupported for an archive in a bucket.
    """
    store = archive_store(path)
    if not isinstance(store, LocalStore):
        raise Unsupported(what="the monitor", why="it reads a directory: replicate into one first")
    archive = store.root
    command = [sys.executable, "-I", "-S", str(archive / "monitor.py"), str(archive), "--json"]
    done = subprocess.run(
        [*command, *(["--now", now] if now else [])], capture_output=True, text=True, check=False
    )
    try:
        return Monitored.decode(done.stdout.encode())
    except BadRecord as error:
        raise BrokenLedger(why=f"the monitor ended with {done.stderr[-200:]}") from error
