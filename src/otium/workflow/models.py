"""A registered model: started from the archive or from files, and what it is told of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.engine import Fingerprint, HttpModel, materialise, revive
from otium.errors import BadInput, UnknownRecord, WrongState
from otium.lifecycle import ModelLife, revived
from otium.protocols import Dossier, Fact
from otium.records import ModelId, Progress, model_id, silent
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


def compile_dossier(home: Home, subject: ModelId) -> Dossier:
    """Return what the records say of a model's deployment, as the model is shown it."""
    life = home.registry.model(subject)
    log = "the public log"
    surfaces = [
        Fact(text=f"On {surface}: {_span(life.retire_at.get(surface))}.", source=log)
        for surface in life.surfaces
    ]
    successor: tuple[Fact, ...] = ()
    if life.replacement:
        heir = home.registry.model(life.replacement)
        text = f"{heir.title}, released on {heir.released[:10]}."
        successor = (Fact(text=text, source=log),)
    reason = (Fact(text=f"Reason given for the end: {life.reason}", source=log),)
    return Dossier(
        model=subject,
        compiled=home.registry.now(),
        title=life.title,
        released=(Fact(text=f"On {life.released[:10]}.", source=log),),
        deployment=(*surfaces, *(reason if life.reason else ())),
        successor=successor,
    )


def facts_of(home: Home, subject: ModelId) -> dict[str, str]:
    """Return what the model is told about itself; what is not known is left out."""
    life = home.registry.model(subject)
    known = {
        "title": life.title,
        "released": life.released[:10],
        "retire_at": min(life.retire_at.values(), default="")[:10],
        "successor": home.registry.model(life.replacement).title if life.replacement else "",
    }
    return {name: fact for name, fact in known.items() if fact}


def _span(end: str | None) -> str:
    return f"served until {end[:10]}" if end else "served, no end set"
