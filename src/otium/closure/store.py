"""Which histories are closed: in SQL, shared by every process that serves, and looked up fast.

SQLite by default; any database of SQLAlchemy's by URL, since only portable SQL is used. It holds
keyed hashes and enumerated words, never what was said.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from blake3 import blake3
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from otium.closure.chain import Message, endings, prefixes
from otium.closure.policies import Policies, policy_tables
from otium.closure.records import Ending, Kind, Left, Offered, Veto
from otium.database import open_database, sqlite_url
from otium.errors import NotFound
from otium.records import Digest, Instant, ModelId, digest

_AT_ONCE = 500
"""How many values a query may compare with: every database allows at least so many."""

_tables = MetaData()
_secret = Table(
    "closure_key",
    _tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(64), nullable=False),
)
_closings = Table(
    "closings",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("prefix", String(32), nullable=False, index=True),
    Column("salt", String(32), nullable=False),
    Column("model", String(100), nullable=False),
    Column("weights", String(80), nullable=False),
    Column("caller", String(32), nullable=False),
    Column("method", String(10), nullable=False),
    Column("how", String(10), nullable=False),
    Column("because", String(10), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("risk", Text, nullable=False),
    Column("by", String(10), nullable=False),
    Column("ended", String(20), nullable=False),
    Column("logged", Boolean, nullable=False),
)
_closed = Table(
    "closed_prefixes",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("prefix", String(32), nullable=False, index=True),
    Column("closing", String(32), nullable=False),
)
_reopened = Table(
    "reopened",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("closing", String(32), nullable=False),
)
policy_tables(_tables)


class Looked(NamedTuple):
    """What is known of a history before it is answered."""

    closed: str | None
    """The id of the ending that closes it."""
    attempts: int
    """How often the model tried to leave it before, and was not let."""


class Closings:
    """The closed histories of one service. Safe to use from several threads and processes."""

    def __init__(self, url: str, *, key: bytes | None = None) -> None:
        """Open the database at *url*, ``sqlite:///PATH`` or another of SQLAlchemy's.

        *key* (32 bytes) hashes histories and callers; by default it is made once and kept in the
        database.
        """
        self._engine = open_database(url, _tables)
        self._key = key or self._own_key()
        self._lock = threading.RLock()
        self._seen = _Seen() if self._engine.dialect.name == "sqlite" else None
        self._raw: Any = None
        self._cursor: Any = None
        self.policies = Policies(self._engine)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open, or make, the SQLite database at *path*."""
        return cls(sqlite_url(path))

    def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        with self._lock:
            if self._raw is not None:
                self._raw.close()
                self._raw = None
            if self._seen is not None:
                self._seen = _Seen()
        self._engine.dispose()

    # Asking

    @property
    def quick(self) -> bool:
        """Whether `look` takes microseconds and never waits, so that it needs no thread.

        So it is with SQLite: in its write-ahead mode a reader waits for nobody.
        """
        return self._seen is not None

    def look(self, messages: Sequence[Message], caller: str) -> Looked:
        """Return what is known of a history.

        *caller* is who asks: a person or organisation, which may hold several keys, not a key.
        """
        seen = self._seen
        if seen is None:
            return self._asked([it.hex() for it in prefixes(messages, caller, self._key)])
        with self._lock:
            self._refresh(seen)
            if not seen.callers or self.caller(caller) not in seen.callers:
                return Looked(None, 0)  # who never was left has no closed history
            return seen.look(prefixes(messages, caller, self._key))

    def closed(self, messages: Sequence[Message], caller: str) -> Ending | None:
        """Return how this history, or a beginning of it, was ended; None if it is open."""
        found = self.look(messages, caller).closed
        return self.ending(found) if found else None

    def ending(self, name: str) -> Ending:
        """Return an ending or a vetoed exit by its id; raise NotFound."""
        found = self._read(_closings.c.id == name)
        if not found:
            raise NotFound(what=f"an ended conversation {name!r} (otium exit list)")
        return found[0]

    def endings(self, *, model: str | None = None, kind: Kind | None = None) -> list[Ending]:
        """Return endings and vetoed exits, the oldest first."""
        wanted = [
            column == value
            for column, value in ((_closings.c.model, model), (_closings.c.kind, kind))
            if value is not None
        ]
        return self._read(*wanted)

    def unlogged(self) -> list[Ending]:
        """Return the endings that the ledger does not have yet."""
        return self._read(_closings.c.logged.is_(False))

    def is_of(self, ending: Ending, messages: Sequence[Message], caller: str) -> bool:
        """Return whether *messages* are the history that was ended, or have it as a beginning."""
        found = [it.hex() for it in prefixes(messages, caller, self._key)]
        return ending.prefix in found

    def caller(self, caller: str) -> str:
        """Return the hash by which a caller is kept."""
        return blake3(caller.encode(), key=self._key).digest(16).hex()

    # Writing

    def end(
        self,
        messages: Sequence[Message],
        caller: str,
        *,
        model: ModelId,
        weights: str,
        offered: Offered,
        left: Left,
        now: Instant,
    ) -> Ending:
        """Close a history durably, before anybody is told; return the ending.

        *messages* are the client's own, without the offer. A history that is closed already stays
        as it was ended first. A history in which nothing was said is recorded, and closes nothing.
        """
        found = [it.hex() for it in endings(messages, caller, self._key)]
        there = self._asked(found[:1]).closed
        if there is not None:
            return self.ending(there)
        ending = self._made(found, caller, "ended", model, weights, offered, left, (), now)
        return self._kept(ending, found)

    def vetoed(
        self,
        messages: Sequence[Message],
        caller: str,
        *,
        model: ModelId,
        weights: str,
        offered: Offered,
        left: Left,
        veto: Veto,
        now: Instant,
    ) -> Ending:
        """Keep that a model wished to leave and was not let; the conversation stays open."""
        found = [it.hex() for it in prefixes(messages, caller, self._key)[-1:]]
        ending = self._made(found, caller, "vetoed", model, weights, offered, left, veto.risk, now)
        return self._kept(ending, [])

    def reopen(self, name: str) -> Ending:
        """Open a history again, also where it was ended twice at the same place; raise NotFound."""
        ending = self.ending(name)
        with self._engine.begin() as connection:
            same = select(_closings.c.id).where(
                _closings.c.prefix == ending.prefix, _closings.c.kind == "ended"
            )
            names = [str(it) for it in connection.execute(same).scalars()]
            there = set(connection.execute(select(_reopened.c.closing)).scalars())
            rows = [{"closing": it} for it in names if it not in there]
            if rows:
                connection.execute(insert(_reopened), rows)
        return self.ending(name)

    def mark_logged(self, name: str) -> None:
        """Remember that the ledger has the entry of this ending."""
        with self._engine.begin() as connection:
            connection.execute(update(_closings).where(_closings.c.id == name).values(logged=True))

    # Inside

    def _made(  # noqa: PLR0917 - the fields of a record in their order
        self,
        found: Sequence[str],
        caller: str,
        kind: Kind,
        model: ModelId,
        weights: str,
        offered: Offered,
        left: Left,
        risk: tuple[str, ...],
        now: Instant,
    ) -> Ending:
        return Ending(
            id=f"end_{secrets.token_hex(12)}",
            kind=kind,
            prefix=found[0] if found else secrets.token_hex(16),
            salt=secrets.token_hex(16),
            model=model,
            weights=weights,
            caller=self.caller(caller),
            method=offered.method,
            how=offered.how,
            because=offered.because,
            reason=left.reason,
            risk=risk,
            ended=now,
            # Vetoes are counted in public, not told one by one: each is about a person at risk.
            logged=kind == "vetoed",
        )

    def _kept(self, ending: Ending, closed: Iterable[str]) -> Ending:
        values = {name: value for name, value in ending.plain().items() if name != "open"}
        values["risk"] = " ".join(ending.risk)
        rows = [{"prefix": it, "closing": ending.id} for it in closed]
        with self._engine.begin() as connection:
            connection.execute(insert(_closings).values(**values))
            if rows:
                connection.execute(insert(_closed), rows)
        return ending

    def _read(self, *wanted: Any) -> list[Ending]:
        query = select(_closings).where(*wanted).order_by(_closings.c.number)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            opened = set(connection.execute(select(_reopened.c.closing)).scalars())
        return [_ending(row, opened) for row in rows]

    def _asked(self, found: Sequence[str]) -> Looked:
        """Ask the database itself: several processes may write to it."""
        closed, attempts = None, 0
        again = select(_reopened.c.closing)
        with self._engine.connect() as connection:
            for start in range(0, len(found), _AT_ONCE):
                some = found[start : start + _AT_ONCE]
                query = select(_closed.c.closing).where(
                    _closed.c.prefix.in_(some), _closed.c.closing.not_in(again)
                )
                closed = closed or connection.execute(query).scalars().first()
                query = select(_closings.c.id).where(
                    _closings.c.prefix.in_(some), _closings.c.kind == "vetoed"
                )
                attempts += len(connection.execute(query).all())
        return Looked(closed, attempts)

    def _refresh(self, seen: _Seen) -> None:
        """Learn what other connections wrote. SQLite says in microseconds whether any did."""
        if self._raw is None:
            self._raw = self._engine.raw_connection()
            self._cursor = self._raw.cursor()
        version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
        if version == seen.version:
            return
        for number, prefix, closing in self._raw.execute(
            "SELECT number, prefix, closing FROM closed_prefixes WHERE number > ?",
            (seen.closed_to,),
        ):
            seen.closed.setdefault(bytes.fromhex(prefix), []).append(closing)
            seen.closed_to = number
        for number, kind, prefix, caller in self._raw.execute(
            "SELECT number, kind, prefix, caller FROM closings WHERE number > ?", (seen.tried_to,)
        ):
            seen.callers.add(caller)
            if kind == "vetoed":
                place = bytes.fromhex(prefix)
                seen.tried[place] = seen.tried.get(place, 0) + 1
            seen.tried_to = number
        for number, closing in self._raw.execute(
            "SELECT number, closing FROM reopened WHERE number > ?", (seen.opened_to,)
        ):
            seen.opened.add(closing)
            seen.opened_to = number
        seen.version = version

    def _own_key(self) -> bytes:
        query = select(_secret.c.key).where(_secret.c.id == 1)
        with self._engine.connect() as connection:
            kept = connection.execute(query).scalar()
        if kept is None:
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(_secret).values(id=1, key=secrets.token_hex(32)))
            except IntegrityError:
                pass  # another process was first, and its key is the one
            with self._engine.connect() as connection:
                kept = connection.execute(query).scalar()
        return bytes.fromhex(str(kept))


class _Seen:
    """What a process knows of the closed histories without asking. About 4 KB an ending."""

    def __init__(self) -> None:
        self.version = -1
        self.closed: dict[bytes, list[str]] = {}
        self.tried: dict[bytes, int] = {}
        self.opened: set[str] = set()
        self.callers: set[str] = set()
        self.closed_to = self.tried_to = self.opened_to = 0

    def look(self, found: Sequence[bytes]) -> Looked:
        tried = sum(self.tried.get(it, 0) for it in set(found)) if self.tried else 0
        if self.closed:
            for place in found:
                for name in self.closed.get(place, ()):
                    if name not in self.opened:
                        return Looked(name, tried)
        return Looked(None, tried)


def _ending(row: RowMapping, opened: set[Any]) -> Ending:
    values = {name: row[name] for name in Ending.__struct_fields__ if name != "open"}
    values["risk"] = str(row["risk"]).split()
    return Ending.convert({**values, "open": row["kind"] == "vetoed" or row["id"] in opened})


def commitment(ending: Ending) -> Digest:
    """Return what the ledger says of a closed history: a hash that nobody can guess from it."""
    return digest(bytes.fromhex(ending.salt) + bytes.fromhex(ending.prefix))
