"""A registered model, started from the archive or from files that are about to be deposited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.engine import HttpModel, materialise
from otium.records import Progress, model_id, silent
from otium.workflow.home import Home


@contextmanager
def running(
    home: Home, model: str, *, files: Path | None = None, progress: Progress = silent
) -> Iterator[HttpModel]:
    """Run *model* and yield it; from *files* if it is not deposited yet.

    Raises UnknownModel, EngineFailed, DamagedObject.
    """
    life = home.registry.model(model_id(model))
    if life.weights is None and files is not None:
        weights = home.archive.plan(files).weights
    else:
        files = materialise(home.archive, life.model, home.cache, progress=progress)
        weights = home.archive.manifest(life.model).weights
    with home.engine.run(files, model=life.model, weights=weights) as endpoint:
        yield HttpModel(endpoint)
