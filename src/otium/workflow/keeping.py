"""Weights in and out of a home, in whatever layout others keep them; and their copies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from otium import custody
from otium.archive import Manifest, Plan
from otium.custody import (
    Budget,
    Deaccession,
    Freed,
    Level,
    Proposal,
    Protected,
    Repaired,
    RepairPlan,
    Replication,
    Scrubbed,
)
from otium.engine import runtime
from otium.errors import BadDeposit
from otium.records import Actor, Digest, ModelId, Progress, model_id, silent
from otium.store import Store, open_store
from otium.workflow.home import SCRATCH, Home

PROPOSAL = "deaccession-proposal.json"
CURSOR = "scrub.json"

if TYPE_CHECKING:  # it loads archive readers
    from otium.exchange import Layout, Unpacked


def survey(
    home: Home, files: Path, *, layout: Layout | None = None, progress: Progress = silent
) -> Plan:
    """Return what a deposit of *files* would store; raise BadDeposit."""
    with _unpacked(home, files, layout, progress) as found:
        return home.archive.plan(found.files, progress=progress)


def deposit(
    home: Home,
    model: ModelId,
    files: Path,
    *,
    layout: Layout | None = None,
    parents: Sequence[ModelId] = (),
    sampling: Mapping[str, float] | None = None,
    progress: Progress = silent,
) -> Manifest:
    """Keep a registered model's weights and log it; the same files again change nothing.

    *layout* is one of ``otium.exchange``, found out if it is None; every digest that it states
    is verified, and where the files came from is kept as the record ``origin.json``. Raises
    BadDeposit, BadLayout, UnknownModel.
    """
    kept = keep(
        home, model, files, layout=layout, parents=parents, sampling=sampling, progress=progress
    )
    home.registry.deposited(kept)
    return kept


def keep(
    home: Home,
    model: ModelId,
    files: Path,
    *,
    layout: Layout | None = None,
    parents: Sequence[ModelId] = (),
    sampling: Mapping[str, float] | None = None,
    progress: Progress = silent,
) -> Manifest:
    """Do of a `deposit` all but its entry in the log; *home* need not be held."""
    with _unpacked(home, files, layout, progress) as found:
        manifest = home.registry.keep(
            model,
            found.files,
            runtime=runtime(),
            sampling=sampling,
            parents=parents,
            progress=progress,
        )
        if found.origin.layout != "plain":
            _keep_origin(home, manifest, found)
    return manifest


def export(
    home: Home, model: ModelId, into: Path, *, layout: Layout = "plain", progress: Progress = silent
) -> Manifest:
    """Write a model's files into a fresh directory, laid out as *layout* asks.

    Raises UnknownModel, DamagedObject, RestoreTargetNotEmpty.
    """
    if layout == "plain":
        return home.archive.restore(model, into, progress=progress)
    from otium.exchange import export_bag, export_huggingface, export_oci

    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as scratch:
        files = Path(scratch) / "files"
        manifest = home.archive.restore(model, files, progress=progress)
        if layout == "oci":
            created = manifest.deposited
            export_oci(files, into, name=model, created=created, link=True, progress=progress)
        elif layout == "bagit":
            info = {"External-Identifier": model, "Bagging-Date": manifest.deposited[:10]}
            export_bag(files, into, info=info, link=True, progress=progress)
        else:
            export_huggingface(files, into, repository=model, link=True, progress=progress)
    return manifest


@contextmanager
def _unpacked(
    home: Home, files: Path, layout: Layout | None, progress: Progress
) -> Iterator[Unpacked]:
    from otium.exchange import unpacked

    home.cache.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=home.cache) as scratch,
        unpacked(files, Path(scratch), layout=layout, progress=progress) as found,
    ):
        yield found


def _keep_origin(home: Home, manifest: Manifest, found: Unpacked) -> None:
    """Keep where the files came from, after a look whether they are still those that were read."""
    stated = {file.path: file.sha256 for file in found.origin.files}
    for file in manifest.files:
        if stated.get(file.path) not in {None, Digest(f"sha256:{file.sha256}")}:
            raise BadDeposit(path=file.path, why="it changed after it was verified")
    data = found.origin.encode()
    home.archive.put_record(
        manifest.model, "origin.json", data, now=manifest.deposited, message="Origin"
    )


def stores(places: Sequence[str]) -> dict[str, Store]:
    """Return the stores at *places*, directories or URLs; of a home, its archive."""
    found = {}
    for place in places:
        inner = Path(place) / "archive"
        found[place] = open_store(str(inner) if (inner / "archive.json").is_file() else place)
    return found


def scrub(
    home: Home, *, level: Level = "digests", budget: Budget | None = None,
    progress: Progress = silent,
) -> Scrubbed:  # fmt: skip
    """Read on where the last scrub stopped; log a round that ended, and any damage."""
    done = custody.scrub(
        home.archive,
        home.path / CURSOR,
        now=home.registry.now(),
        level=level,
        budget=budget,
        progress=progress,
    )
    if done.damage or done.position.whole == done.checked:
        log_scrub(home, done)
    return done


def log_scrub(home: Home, done: Scrubbed) -> None:
    """Log what a scrub found."""
    names = [one.name for one in done.damage][:20]
    body = {"level": done.level, "ok": done.ok, "files": done.total, "damage": names}
    home.registry.log("archive.scrubbed", home.archive.id, body)


def replicate(
    home: Home, targets: Mapping[str, Store], *, dry_run: bool = False, progress: Progress = silent
) -> Replication:
    """Bring copies up to date; raise Diverged if one holds what is neither older nor newer."""
    return custody.replicate(home.archive.store, targets, dry_run=dry_run, progress=progress)


def plan_repair(
    home: Home, copies: Mapping[str, Store], *, progress: Progress = silent
) -> RepairPlan:
    """Return what `repair` would mend, and from where."""
    return custody.plan_repair(home.archive, copies, progress=progress)


def repair(home: Home, copies: Mapping[str, Store], *, progress: Progress = silent) -> Repaired:
    """Mend what any copy, or parity, can mend, and log what was mended."""
    done = custody.repair(home.archive, copies, progress=progress)
    if done.mended:
        mended = [one.name for one in done.mended]
        body = {"mended": len(mended), "names": mended[:20], "left": len(done.left)}
        home.registry.log("archive.repaired", home.archive.id, body)
    return done


def protect(
    home: Home, *, share: float, models: int, dry_run: bool = False, progress: Progress = silent
) -> list[Protected]:
    """Store parity for packs on which many rest, and log it; a dry run does neither."""
    done = custody.protect(home.archive, share, models=models, dry_run=dry_run, progress=progress)
    if done and not dry_run:
        body = {"files": len(done), "bytes": sum(one.bytes for one in done)}
        home.registry.log("archive.protected", home.archive.id, body)
    return done


def propose_deaccession(home: Home, model: str, reason: str, *, wait_days: float) -> Proposal:
    """File a proposal that a model's weights should leave, once; raise HasDescendants."""
    subject = model_id(model)

    def make() -> Proposal:
        now = home.registry.now()
        return custody.propose(home.archive, subject, reason, now=now, wait_days=wait_days)

    return home.registry.file(
        "deaccession.proposed", subject, PROPOSAL, Proposal, make, custody.entry_body
    )


def carry_out_deaccession(
    home: Home, model: ModelId, approved: Sequence[Actor]
) -> tuple[Deaccession, list[Freed]]:
    """Mark a model as deaccessioned, log it, and return it with what may be removed now.

    Nothing is removed. Where there are roles, two keys must approve it first. Raises
    StillWaiting, HasDescendants, NeedsSecond, UnknownRecord without a proposal.
    """
    proposal = home.registry.filed(model, PROPOSAL, Proposal)
    approval = {"proposal": proposal.digest()}
    there = [it.body for it in home.registry.find("deaccession.approved", model)]
    if home.registry.journal.judge().has_roles and approval not in there:
        home.registry.log("deaccession.approved", model, approval)
    now = home.registry.now()
    done = custody.carry_out(home.archive, proposal, now=now, approved=approved)
    if not home.registry.find("model.deaccessioned", model):
        body = custody.entry_body(done)
        home.registry.log("model.deaccessioned", model, body, [done.digest()])
    return done, custody.removable(home.archive, done)
