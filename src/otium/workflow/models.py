"""A registered model: started here, reached elsewhere, served, and what it is told of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from otium.engine import Endpoint, External, HttpModel, Identity, Model
from otium.errors import BadInput, UnknownRecord, WrongState
from otium.evidence import hosted
from otium.fingerprints import Fingerprint
from otium.lifecycle import ModelLife, revived
from otium.protocols import Dossier, Fact
from otium.records import Digest, ModelId, Progress, model_id, silent
from otium.revival import materialise, revive
from otium.workflow.home import Home, turn

if TYPE_CHECKING:
    from otium.gateway import Service, Settings

KEY = "OTIUM_ENDPOINT_KEY"
"""The environment variable with the key of an endpoint; never an argument, where others see it.

``OTIUM_ENDPOINT_KEY_HOST_PORT`` comes first, for those who ask several: in capitals, with ``_`` for
all that is no letter or digit.
"""
_ENDPOINT = re.compile(r"(https?://[^#]+)#(.+)")
_UNSAFE = re.compile(r"[^a-z0-9._-]+")


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
        manifest = home.registry.manifest(life.model)
        files = materialise(home.archive, life.model, home.cache, progress, manifest=manifest)
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
        manifest=home.registry.manifest(life.model),
        fingerprint=fingerprint,
        now=home.registry.now(),
        progress=progress,
    ) as alive:
        revived(home.registry, life.model, alive.certificate)
        yield alive.model


@contextmanager
def reached(
    home: Home,
    name: str,
    *,
    via: str = "",
    files: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Model]:
    """Yield the model *name*, reached as *via* says: an Inspect name or ``URL#MODEL``.

    Without *via* it is started as by `running`. Raises UnknownModel, BadInput, EngineFailed.
    """
    if not via:
        with running(home, name, files=files, progress=progress) as alive:
            yield alive
        return
    life = home.registry.model(name)
    yield _elsewhere(via, life.model, life.weights)


@contextmanager
def helper(home: Home, name: str, *, progress: Progress = silent) -> Iterator[Model]:
    """Yield a model that asks or judges: an Inspect name, ``URL#MODEL``, or one of the archive."""
    if "/" in name:
        yield _elsewhere(name, _id_of(name), None)
        return
    with running(home, name, progress=progress) as alive:
        yield alive


def _elsewhere(via: str, model: ModelId, weights: Digest | None) -> Model:
    found = _ENDPOINT.fullmatch(via)
    if found is None and re.match("https?:", via):
        raise BadInput(
            what=f"the model {via!r}", why="after the address stands #MODEL, its name there"
        )
    if found is None:
        return hosted(via, model, weights)
    url, served_as = found.groups()
    identity = Identity(
        model=model,
        weights=weights,
        engine=f"endpoint/{served_as}",
        flags={"url": url, "weights": "as registered, unverified" if weights else "unknown"},
    )
    endpoint = Endpoint(base_url=url, api_key=key_of(url), identity=identity)
    return HttpModel(endpoint, served_as=served_as)


def key_of(url: str) -> str:
    """Return the key of the endpoint at *url* from the environment, ``none`` without one."""
    return os.environ.get(_variable(url)) or "none"


def _variable(url: str) -> str:
    host = re.sub(r"[^A-Za-z0-9]", "_", urlsplit(url).netloc).upper()
    own = f"{KEY}_{host}"
    return own if os.environ.get(own) else KEY


def _id_of(name: str) -> ModelId:
    return model_id(_UNSAFE.sub("-", name.rpartition("#")[2].lower()).strip("-.")[:100])


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


def engine_at(home: Home, text: str) -> tuple[ModelId, External]:
    """Return the model and the engine that ``MODEL=URL`` or ``MODEL=URL#NAME`` names.

    Raises BadInput, UnknownModel.
    """
    name, mark, address = text.partition("=")
    if not mark or not address:
        raise BadInput(what=f"the engine {text!r}", why="it is MODEL=URL or MODEL=URL#NAME")
    url, _, there = address.partition("#")
    variable = _variable(url)
    engine = External(url=url, served_as=there, key_variable=variable)
    return home.registry.model(model_id(name)).model, engine


def service(
    home: Home,
    settings: Settings | None = None,
    *,
    state: str = "",
    log: IO[bytes] | None = None,
    ram_cache: int = 0,
    upstreams: Mapping[ModelId, External] | None = None,
) -> Service:
    """Return the gateway's service for *home*.

    *state* is another database than the home's; weights of up to *ram_cache* bytes lie in memory;
    *upstreams* are engines of others. A home that is not held is held for each write only, so
    that a timer can tick beside it.
    """
    from otium.gateway import Service
    from otium.revival import Cache

    memory = Path(f"/dev/shm/otium-{os.geteuid()}") if ram_cache else None  # noqa: S108  # ours alone
    return Service(
        home.registry,
        cache=Cache(disk=home.cache, memory=memory, most_in_memory=ram_cache),
        state=state or home.state,
        journal=home.path / "journal",
        settings=settings,
        engine=home.engine,
        upstreams=upstreams,
        writing=nullcontext if home.held else lambda: turn(home),
        pages=home.site if home.site.is_dir() else None,
        log=log,
    )
