"""One organisation's archive, ledger, keys and caches, opened together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.archive import Archive
from otium.engine import Engine, LlamaCpp
from otium.errors import NoSigningKey, NotAnArchive
from otium.evidence import Validity
from otium.ledger import Signer
from otium.lifecycle import Policy, Registry, found, load_policy, reopen
from otium.records import Clock, Digest, SystemClock
from otium.store import LocalStore, hold

SCRATCH = "scratch-"
"""How the names of throw-away folders in the cache begin."""


class Home:
    """A directory with ``archive/``, ``keys/``, ``cache/``, ``site/`` and ``state.sqlite``.

    Only ``archive/`` is copied to custodians; the signing key never lies inside it.
    """

    def __init__(
        self, path: Path, registry: Registry, engine: Engine | None = None, *, held: bool = False
    ) -> None:
        """Hold the parts; use `opened`, `shared`, `founded` or `reading` to get one."""
        self.held = held
        self.path = path
        self.registry = registry
        self.engine: Engine = engine or LlamaCpp(log=path / "engine.log")
        self.trusted: dict[tuple[Digest, bool], Validity] = {}
        """What the capability check found, by the identity's digest and whether it was fast."""

    @property
    def archive(self) -> Archive:
        """Return the archive."""
        return self.registry.archive

    @property
    def cache(self) -> Path:
        """Return where restored weights are kept for engines."""
        return self.path / "cache"

    @property
    def site(self) -> Path:
        """Return where the public pages are built."""
        return self.path / "site"

    @property
    def state(self) -> str:
        """Return the URL of the gateway's operational state."""
        return f"sqlite:///{self.path / 'state.sqlite'}"


def archive_path(path: Path) -> Path:
    """Return the archive of a home, or *path* itself if it is an archive."""
    if (path / "archive.json").is_file():
        return path
    if (path / "archive" / "archive.json").is_file():
        return path / "archive"
    raise NotAnArchive(path=path)


@contextmanager
def founded(
    path: Path,
    *,
    archive_id: str,
    clock: Clock | None = None,
    policy: Policy | None = None,
    simulated: bool = False,
    engine: Engine | None = None,
) -> Iterator[Home]:
    """Found a home in *path*, or finish founding it, and hold it for writing."""
    with hold(path):
        store = LocalStore(path / "archive")
        store.sweep()
        registry = found(
            store,
            _signer(path, archive_id),
            archive_id=archive_id,
            clock=clock or SystemClock(),
            policy=policy or load_policy(),
            simulated=simulated,
        )
        home = Home(path, registry, engine, held=True)
        _clear(home)
        yield home


@contextmanager
def opened(path: Path, *, clock: Clock | None = None) -> Iterator[Home]:
    """Open the home at *path* and hold it for writing; raise Held if another process has it."""
    archive = archive_path(path)
    with hold(path):
        store = LocalStore(archive)
        store.sweep()
        signer = Signer.load(path / "keys" / "ledger.pem")
        home = Home(path, reopen(store, clock=clock or SystemClock(), signer=signer), held=True)
        _clear(home)
        yield home


def shared(path: Path, *, clock: Clock | None = None) -> Home:
    """Open the home at *path* for one who writes now and then, in a `turn` each time."""
    signer = Signer.load(path / "keys" / "ledger.pem")
    store = LocalStore(archive_path(path))
    return Home(path, reopen(store, clock=clock or SystemClock(), signer=signer))


@contextmanager
def turn(home: Home) -> Iterator[None]:
    """Hold a shared home for one write; raise Held if another process has it."""
    with hold(home.path):
        home.registry.ledger.resume()
        yield


def reading(path: Path, *, clock: Clock | None = None) -> Home:
    """Open the home (or a bare archive) at *path* for reading only; nothing is held."""
    store = LocalStore(archive_path(path))
    return Home(path, reopen(store, clock=clock or SystemClock()))


def _clear(home: Home) -> None:
    """Remove what steps that were killed left in the cache. Only for who holds the home."""
    for left in home.cache.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _signer(path: Path, name: str) -> Signer:
    key = path / "keys" / "ledger.pem"
    try:
        return Signer.load(key)
    except NoSigningKey:
        if (path / "archive" / "archive.json").exists():
            raise
        signer = Signer.generate(name)
        signer.save(key)
        return signer
