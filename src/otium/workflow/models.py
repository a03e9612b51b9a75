"""A registered model, started from the archive or from files that are about to be deposited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.engine import Fingerprint, HttpModel, materialise, revive
from otium.errors import BadInput, UnknownRecord, WrongState
from otium.lifecycle import ModelLife, revived
from otium.records import Progress, model_id, silent
from otium.workflow.home import Home


@contextmanager
def running(
    home: Home, model: str, *, files: Path | None = None, progress: Progress = silent
) -> Iterator[HttpModel]:
    """Run *model* and yield it; from *files* if it is not deposited yet.

    A retired model is compared with its fingerprint first, and its revival is logged. Raises
    UnknownModel, WrongState without weights, BadInput if *files* are not those that are kept,
    EngineFailed, FingerprintDiffers, DamagedObject.
    """
    life = home.registry.model(model_id(model))
    if not life.in_service:
        with _revived(home, life, progress) as alive:
            yield alive
        return
    weights = life.weights
    if files is not None:
        found = home.archive.plan(files).weights
        if weights not in {None, found}:
            raise BadInput(what=str(files), why=f"{life.model} was deposited with {weights}")
        weights = found
    elif weights is None:
        raise WrongState(model=life.model, state="not deposited", needed="kept in the archive")
    else:
        files = materialise(home.archive, life.model, home.cache, progress=progress)
    with home.engine.run(files, model=life.model, weights=weights) as endpoint:
        yield HttpModel(endpoint)


@contextmanager
def _revived(home: Home, life: ModelLife, progress: Progress) -> Iterator[HttpModel]:
    try:
        fingerprint = home.registry.filed(life.model, "fingerprint.json", Fingerprint)
    except UnknownRecord:
        fingerprint = None
    with revive(
        home.archive,
        life.model,
        home.cache,
        engine=home.engine,
        fingerprint=fingerprint,
        now=home.registry.now(),
        progress=progress,
    ) as alive:
        revived(home.registry, life.model, alive.certificate)
        yield alive.model
