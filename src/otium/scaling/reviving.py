"""Models brought back by workers, and the log that only the holder of the home's keys writes.

A worker leaves a slip of paper in the home's ``revived/`` and waits until it is gone: nobody may
speak to a retired model whose revival is not in the log.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from otium.errors import UnknownRecord, WorkFailed
from otium.fingerprints import Certificate, Fingerprint
from otium.lifecycle import revived
from otium.records import ModelId, Record
from otium.revival import Revived, revive
from otium.store import LocalStore
from otium.workflow import Home, reading

_FOLDER = "revived"
_PATIENCE = 60.0
"""Seconds that a worker waits for its revival to be logged."""
_LOOK = 0.05


class Slip(Record, tag="otium.revived/1"):
    """A model that a worker brought back."""

    model: ModelId
    certificate: Certificate | None


@contextmanager
def brought_back(place: Path, model: ModelId) -> Iterator[Revived]:
    """Run a model of the home at *place*, certified; a retired one's revival is logged first.

    For workers: the home is only read. Raises WorkFailed if nobody logs it, and as `revive`.
    """
    home = reading(place)
    life = home.registry.model(model)
    try:
        fingerprint = home.registry.filed(model, "fingerprint.json", Fingerprint)
    except UnknownRecord:
        fingerprint = None
    with revive(
        home.archive,
        model,
        home.cache,
        engine=home.engine,
        manifest=home.registry.manifest(model),
        fingerprint=fingerprint,
        now=home.registry.now(),
    ) as alive:
        if not life.in_service:
            _report(place, Slip(model=model, certificate=alive.certificate))
        yield alive


def _report(place: Path, slip: Slip) -> None:
    store, name = LocalStore(place / _FOLDER), f"{secrets.token_hex(8)}.json"
    store.put(name, slip.encode())
    until = time.monotonic() + _PATIENCE
    while (store.root / name).exists():
        if time.monotonic() > until:
            (store.root / name).unlink(missing_ok=True)
            why = f"nobody wrote it into the log within {_PATIENCE:g} s"
            raise WorkFailed(what=f"the revival of {slip.model}", why=why)
        time.sleep(_LOOK)


def log_revivals(
    home: Home, writing: Callable[[], AbstractContextManager[object]] = nullcontext
) -> int:
    """Log what workers brought back, each in a *writing* block; return how many there were.

    A certificate is logged once, also if this is stopped in the middle.
    """
    slips = sorted((home.path / _FOLDER).glob("*.json"))
    for path in slips:
        try:
            slip = Slip.decode(path.read_bytes())
        except FileNotFoundError:  # its worker has waited long enough
            continue
        with writing():
            revived(home.registry, slip.model, slip.certificate)
        path.unlink(missing_ok=True)
    return len(slips)
