"""One organisation's archive, ledger, keys and caches, opened together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from otium.archive import Archive
from otium.authority import Keyring
from otium.commitments import Policy, load_policy
from otium.engine import Engine, LlamaCpp
from otium.errors import BadInput, BadRecord, Exists, NoSigningKey, NotAnArchive, NotFound
from otium.evidence import Validity
from otium.ledger import Entry
from otium.lifecycle import Registry, found, reopen
from otium.lifecycle import approve as sign_second
from otium.notes import Signer
from otium.records import Clock, Digest, SystemClock, canonical, digest, hexadecimal
from otium.store import LocalStore, Store, hold, open_store

_STORE = "store"
"""The file of a home that names the bucket of its archive, if it has one."""
_ROLES = Path("keys") / "roles"
_WAITING = "waiting"
_PATIENCE = 5.0
"""Seconds that a turn waits for another's: a command that writes takes one or two."""
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
        registry.archive.cache = self.cache / "sketches" if held else None
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
    def role_keys(self) -> Path:
        """Return where the keys lie that sign entries on this machine."""
        return self.path / _ROLES

    @property
    def state(self) -> str:
        """Return the URL of the gateway's operational state."""
        return f"sqlite:///{self.path / 'state.sqlite'}"


def archive_store(path: Path) -> Store:
    """Return where the archive of a home lies; *path* may be a bare archive too.

    Raises NotAnArchive.
    """
    if (path / _STORE).is_file():
        return open_store((path / _STORE).read_text().strip())
    for place in (path, path / "archive"):
        if (place / "archive.json").is_file():
            return LocalStore(place)
    raise NotAnArchive(path=path)


def _place(path: Path, store: str | None) -> Store:
    """Return where a home that is being founded keeps its archive; raise Exists for another."""
    if store is None and not (path / _STORE).is_file():
        return LocalStore(path / "archive")
    there = (path / _STORE).read_text().strip() if (path / _STORE).is_file() else None
    if (path / "archive").is_dir() or there not in {None, store}:
        raise Exists(name=f"{path}, with its archive elsewhere,")
    place = open_store(str(store or there))
    if there is None:
        LocalStore(path).put(_STORE, f"{store}\n".encode())
    return place


@contextmanager
def founded(
    path: Path,
    *,
    archive_id: str,
    clock: Clock | None = None,
    policy: Policy | None = None,
    simulated: bool = False,
    engine: Engine | None = None,
    store: str | None = None,
) -> Iterator[Home]:
    """Found a home in *path*, or finish founding it, and hold it for writing.

    *store* is the URL of a bucket for its archive, which lies in *path* otherwise.
    """
    with hold(path):
        place = _place(path, store)
        _sweep(place)
        registry = found(
            place,
            _signer(path, archive_id),
            archive_id=archive_id,
            clock=clock or SystemClock(),
            policy=policy or load_policy(),
            simulated=simulated,
            keyring=_keyring(path, place),
            waiting=lambda entry: _wait(path, entry),
        )
        home = Home(path, registry, engine, held=True)
        _clear(home)
        yield home


@contextmanager
def opened(path: Path, *, clock: Clock | None = None) -> Iterator[Home]:
    """Open the home at *path* and hold it for writing; raise Held if another process has it."""
    store = archive_store(path)
    with hold(path):
        _sweep(store)
        home = Home(path, _writing(path, store, clock), held=True)
        _clear(home)
        yield home


def shared(path: Path, *, clock: Clock | None = None) -> Home:
    """Open the home at *path* for one who writes now and then, in a `turn` each time."""
    return Home(path, _writing(path, archive_store(path), clock))


@contextmanager
def turn(home: Home) -> Iterator[None]:
    """Hold a shared home for one write; wait a little for who has it, then raise Held."""
    with hold(home.path, _PATIENCE):
        home.registry.ledger.resume()
        yield


def reading(path: Path, *, clock: Clock | None = None) -> Home:
    """Open the home (or a bare archive) at *path* for reading only; nothing is held."""
    store = archive_store(path)
    return Home(path, reopen(store, clock=clock or SystemClock()))


def approve(home: Home, name: str, keys: Sequence[Path] = ()) -> Entry:
    """Give the act that waits as *name* its second signature, and log it.

    *keys* are files of role keys; without any, those of the home. Raises NotFound,
    NotAuthorised, BadInput or DutyUnmet if the act is no longer possible.
    """
    file = _waiting_file(home, name)
    keyring = Keyring.load(*(keys or [home.role_keys]))
    written = sign_second(home.registry, _act(file), keyring)
    file.unlink()
    return written


def discard(home: Home, name: str) -> None:
    """Forget the act that waits as *name*; nothing was logged. Raises NotFound."""
    _waiting_file(home, name).unlink()


def _waiting_file(home: Home, name: str) -> Path:
    file = _acts(home).get(name)
    if file is None:
        raise NotFound(what=f"an act that waits as {name!r} (otium ledger waiting lists them)")
    return file


def waiting(home: Home) -> dict[str, Entry]:
    """Return the acts that wait for a second signature, by name; raise BadInput for no act."""
    return {name: _act(file) for name, file in _acts(home).items()}


def _acts(home: Home) -> dict[str, Path]:
    return {file.stem: file for file in sorted((home.path / _WAITING).glob("*.json"))}


def _act(file: Path) -> Entry:
    try:
        return Entry.decode(file.read_bytes())
    except BadRecord as error:
        raise BadInput(what=str(file), why=f"it is no act that waits: {error}") from error


def _writing(path: Path, store: Store, clock: Clock | None) -> Registry:
    return reopen(
        store,
        clock=clock or SystemClock(),
        signer=Signer.load(path / "keys" / "ledger.pem"),
        keyring=Keyring.load(path / _ROLES),
        waiting=lambda entry: _wait(path, entry),
    )


def _keyring(path: Path, store: Store) -> Keyring:
    """Return the role keys of a home; one that is being founded gets its first ones."""
    try:
        store.size("archive.json")
    except NotFound:
        Keyring.make(path / _ROLES)
    return Keyring.load(path / _ROLES)


def _wait(path: Path, entry: Entry) -> str:
    """Keep an act that lacks a signature; the same act again takes its place."""
    act = canonical([entry.type, entry.subject, entry.body])
    name = f"{entry.type.replace('.', '-')}-{entry.subject}-{hexadecimal(digest(act))[:8]}"
    LocalStore(path).replace(f"{_WAITING}/{name}.json", entry.encode())
    return name


def _sweep(store: Store) -> None:
    """Remove what writers that died left behind on this machine."""
    if isinstance(store, LocalStore):
        store.sweep()


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
