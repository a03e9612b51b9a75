"""The time stamps of a log: asked for, kept beside it, renewed, verified offline.

The first token of a size is over the note body of the checkpoint, each later one over that body
followed by all tokens before it. So a later token shows that the earlier ones existed while
their keys and certificates were good (in the spirit of RFC 4998, 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from otium.errors import BadTimestamp, BrokenLedger
from otium.ledger import Frontier, Ledger, leaf_hash, load_leaves
from otium.notes import TreeHead
from otium.records import Instant, Part, later
from otium.store import Store
from otium.timestamps.authority import Authority, request_token
from otium.timestamps.token import read_token

_FOLDER = "log/timestamps/"
_NAME = re.compile(
    _FOLDER + r"(0|[1-9]\d{0,18})/([1-9]\d{0,5})-([a-z0-9][a-z0-9-]{0,39})\.tsr", re.ASCII
)


class Stamp(Part):
    """A verified token: the log had this root at *size* no later than *time*."""

    size: int
    number: int
    """Its place among the tokens of this size, from 1."""
    authority: str
    time: Instant
    expires: Instant
    """When the certificate behind it ends; renewed before, the stamp stays good."""
    name: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"size {self.size}, token {self.number}: {self.authority} at {self.time}"


class Missing(Part):
    """An authority that gave no token."""

    authority: str
    why: str


class Stamped(Part):
    """What came of asking."""

    size: int
    kept: tuple[str, ...]
    """The names of the new tokens."""
    missing: tuple[Missing, ...]

    def __str__(self) -> str:
        """Return a line for each authority."""
        lines = [f"kept {name}" for name in self.kept]
        lines += [f"no token from {one.authority}: {one.why}" for one in self.missing]
        return "\n".join(lines) or f"size {self.size} has its time stamps already"


class _File(NamedTuple):
    """A token's place; sorts in the order in which later tokens cover earlier ones."""

    size: int
    number: int
    authority: str

    @property
    def name(self) -> str:
        return f"{_FOLDER}{self.size}/{self.number}-{self.authority}.tsr"

    @classmethod
    def parse(cls, name: str) -> _File:
        found = _NAME.fullmatch(name)
        if found is None:
            raise BadTimestamp(name=name, why="it is not the name of a time stamp")
        return cls(int(found[1]), int(found[2]), found[3])


def stamp(store: Store, vkeys: Sequence[str], authorities: Sequence[Authority]) -> Stamped:
    """Have the newest witnessed checkpoint (without one, the newest) stamped by *authorities*.

    Asks those of which it has no token yet. An authority that fails is reported, and the others
    are still asked.
    """
    size = _newest(Ledger.open(store, vkeys=vkeys))
    had = {file.authority for file in _files(store, size)}
    asked = [one for one in authorities if one.name not in had]
    return _ask(store, size, _bodies(store, vkeys, [size])[size], asked, authorities)


def renew(
    store: Store, vkeys: Sequence[str], authorities: Sequence[Authority], size: int
) -> Stamped:
    """Have the checkpoint of *size* with all its tokens stamped anew by *authorities*.

    Raises BadTimestamp if it has no token, or one does not verify.
    """
    if not _files(store, size):
        raise BadTimestamp(name=f"{_FOLDER}{size}/", why="there is none to renew")
    return _ask(store, size, _bodies(store, vkeys, [size])[size], authorities, authorities)


def renew_due(
    store: Store,
    vkeys: Sequence[str],
    authorities: Sequence[Authority],
    now: Instant,
    *,
    days: float = 90,
) -> list[Stamped]:
    """Renew each size whose last certificate ends within *days* of *now*, if it has not yet.

    Raises BadTimestamp if a token does not verify.
    """
    stamps = check_stamps(store, vkeys, authorities)
    over = set(due(stamps, now, days=0))
    sizes = [size for size in due(stamps, now, days=days) if size not in over]
    bodies = _bodies(store, vkeys, sizes)
    return [_ask(store, size, bodies[size], authorities, authorities) for size in sizes]


def check_stamps(
    store: Store, vkeys: Sequence[str], authorities: Sequence[Authority]
) -> list[Stamp]:
    """Return every time stamp of the log, each verified offline at its own time.

    Raises BadTimestamp for one that is wrong, belongs elsewhere, is of an authority that is not
    among *authorities*, or came after all tokens before it had expired.
    """
    files = _files(store)
    sizes = sorted({file.size for file in files})
    bodies = _bodies(store, vkeys, sizes)
    certificates = {one.name: one.certificates for one in authorities}
    return [
        one
        for size in sizes
        for one in _chain(store, _files(store, size), bodies[size], certificates)
    ]


def due(stamps: Iterable[Stamp], now: Instant, *, days: float = 90) -> list[int]:
    """Return the sizes whose last token to expire does so within *days* of *now*."""
    last: dict[int, Instant] = {}
    for one in stamps:
        last[one.size] = max(one.expires, last.get(one.size, one.expires))
    limit = later(now, days=days)
    return [size for size, expires in sorted(last.items()) if expires <= limit]


def _newest(ledger: Ledger) -> int:
    witnessed = ledger.witnessed()
    return witnessed[-1].size if witnessed else ledger.size


def _bodies(store: Store, vkeys: Sequence[str], sizes: Sequence[int]) -> dict[int, bytes]:
    """Return the note body of the checkpoint that the log has, or had, at each of *sizes*."""
    point = Ledger.open(store, vkeys=vkeys).checkpoint()
    hashes = [leaf_hash(leaf) for leaf in load_leaves(store, point.size)]
    frontier, bodies = Frontier(), {}
    for size in sorted(sizes):
        if size > point.size:
            raise BadTimestamp(name=f"{_FOLDER}{size}/", why="the log is not so long")
        frontier = frontier.extended(hashes[frontier.size : size])
        bodies[size] = TreeHead(point.origin, size, frontier.root()).text.encode()
    if frontier.extended(hashes[frontier.size :]).root() != point.root:
        raise BrokenLedger(why="the entries do not lead to the root in log/checkpoint")
    return bodies


def _files(store: Store, size: int | None = None) -> list[_File]:
    folder = _FOLDER if size is None else f"{_FOLDER}{size}/"
    return sorted(map(_File.parse, store.list(folder)))


def _ask(
    store: Store,
    size: int,
    body: bytes,
    asked: Sequence[Authority],
    trusted: Sequence[Authority],
) -> Stamped:
    """Have the body and all tokens of *size*, verified first, stamped by those *asked*."""
    files = _files(store, size)
    stamps = _chain(store, files, body, {one.name: one.certificates for one in trusted})
    data = body + b"".join(store.get(file.name) for file in files)
    kept, missing = list[str](), list[Missing]()
    for authority in (one for one in asked if one.url):
        file = _File(size, len(stamps) + 1, authority.name)
        try:
            reply = request_token(authority, data)
            stamps.append(_next(stamps, file, reply, data, authority.certificates))
        except BadTimestamp as error:
            missing.append(Missing(authority=authority.name, why=str(error)))
            continue
        store.put(file.name, reply)
        data += reply
        kept.append(file.name)
    return Stamped(size=size, kept=tuple(kept), missing=tuple(missing))


def _chain(
    store: Store, files: Sequence[_File], body: bytes, certificates: Mapping[str, bytes]
) -> list[Stamp]:
    """Return the verified tokens of one size."""
    data, stamps = body, list[Stamp]()
    for number, file in enumerate(files, 1):
        if file.number != number:
            raise BadTimestamp(
                name=file.name, why=f"number {number} before it is missing, or twice"
            )
        if file.authority not in certificates:
            raise BadTimestamp(name=file.name, why="its authority is not one of those trusted")
        reply = store.get(file.name)
        stamps.append(_next(stamps, file, reply, data, certificates[file.authority]))
        data += reply
    return stamps


def _next(
    before: Sequence[Stamp], file: _File, reply: bytes, data: bytes, certificates: bytes
) -> Stamp:
    """Return the verified token that comes after those *before*."""
    token = read_token(file.name, reply, data, certificates)
    if before and token.time > max(one.expires for one in before):
        raise BadTimestamp(name=file.name, why="it renews tokens that had expired")
    return Stamp(
        size=file.size,
        number=file.number,
        authority=file.authority,
        time=token.time,
        expires=token.expires,
        name=file.name,
    )
