"""The keys, as the shared database has them. A secret is shown once and kept by nobody."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from otium.admission import tables
from otium.admission.audit import write_lines
from otium.admission.records import Issued, Key, Line, Scope, check_scope, commit_to
from otium.database import open_database
from otium.errors import BadInput, DateInPast, NotFound
from otium.quotas import TABLES, Budget, Rate
from otium.records import Instant, Part, later

_BYTES = 32
_ID_BYTES = 5
_ID = re.compile(r"[a-z2-7]{8}")
_LONGEST_NAME = 200


class Row(Part):
    """A key with what its secrets are found by."""

    key: Key
    hash: str
    previous: str
    """The hash of the secret before the last rotation, or an empty text."""
    previous_until: str
    changed: int


class Keys:
    """Make, find, rotate and revoke keys. Every change gets a number, so that others follow."""

    def __init__(self, engine: Engine) -> None:
        """Keep the keys in a database that has `tables.TABLES`."""
        self.engine = engine

    def create(
        self,
        owner: str,
        scope: Scope,
        *,
        now: Instant,
        budgets: Sequence[Budget] = (),
        rates: Sequence[Rate] = (),
        expires: Instant | None = None,
        grant: str = "",
    ) -> Issued:
        """Make a key; its secret is in the result and nowhere else.

        Raises BadInput for an owner or a scope without sense, DateInPast.
        """
        key = planned(
            owner, scope, now=now, budgets=budgets, rates=rates, expires=expires, grant=grant
        )
        with self.engine.begin() as connection:
            return insert_key(connection, key)

    def find(self, key: str) -> Key:
        """Return a key by its id, or by the secret itself; raise NotFound."""
        return self._row(key).key

    def all(self) -> list[Key]:
        """Return every key, revoked ones too, the oldest first."""
        keys = [row.key for row in self.changed_since(0)[0]]
        return sorted(keys, key=lambda key: (key.created, key.id))

    def revoke(self, key: str, reason: str, *, now: Instant) -> Key:
        """End a key for good. Again changes nothing. Raises NotFound, BadInput."""
        if not reason.strip():
            raise BadInput(what="a revocation", why="it needs a reason")
        with self.engine.begin() as connection:
            return revoke_key(connection, self._row(key).key.id, reason.strip(), now)

    def rotate(self, key: str, *, now: Instant, grace: float = 0) -> Issued:
        """Give a key another secret; the one before stays good for *grace* seconds.

        Everything else of it stays: its id, scope, budgets and what it has used of them.
        Raises NotFound, and BadInput for a key that is revoked.
        """
        with self.engine.begin() as connection:
            number = tables.next_number(connection, "keys")
            row = find_row(connection, self._row(key).key.id)
            if row.key.revoked:
                raise BadInput(what=f"the key {row.key.id}", why="it is revoked")
            secret = new_secret(row.key.id)
            rotated = replace(row.key, rotated=now)
            until = later(now, seconds=grace) if grace > 0 else ""
            _store(
                connection,
                rotated,
                number,
                hash=commit_to(secret),
                previous=row.hash if until else "",
                previous_until=until,
            )
            write_lines(connection, [Line(time=now, key=row.key.id, act="key.rotated")])
        return Issued(key=rotated, secret=secret)

    def changed_since(self, number: int) -> tuple[list[Row], int]:
        """Return the keys that changed after change *number*, and the newest change's number."""
        with self.engine.connect() as connection:
            query = select(tables.keys).where(tables.keys.c.changed > number)
            rows = [_read(row) for row in connection.execute(query).mappings()]
        return rows, max((row.changed for row in rows), default=number)

    def _row(self, key: str) -> Row:
        with self.engine.connect() as connection:
            return find_row(connection, key)


def open_keys(url: str) -> Keys:
    """Open the keys in the database at *url*; close it by ``keys.engine.dispose()``."""
    return Keys(open_database(url, TABLES))


def planned(
    owner: str,
    scope: Scope,
    *,
    now: Instant,
    budgets: Sequence[Budget] = (),
    rates: Sequence[Rate] = (),
    expires: Instant | None = None,
    grant: str = "",
) -> Key:
    """Return a key that could be made, under an id of its own, or raise BadInput, DateInPast."""
    if not 0 < len(owner.strip()) <= _LONGEST_NAME:
        raise BadInput(what="the owner of a key", why=f"1 to {_LONGEST_NAME} characters are needed")
    check_scope(scope)
    if expires is not None and expires <= now:
        raise DateInPast(what="the expiry of the key", wanted=expires, now=now)
    if len({(it.unit, it.period) for it in budgets}) < len(budgets):
        raise BadInput(what="the budgets", why="one unit and period has two of them")
    if len({(it.unit, it.seconds, it.each_model) for it in rates}) < len(rates):
        raise BadInput(what="the rates", why="one unit and time has two of them")
    return Key(
        id=base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode().lower(),
        owner=owner.strip(),
        scope=scope,
        created=now,
        budgets=tuple(budgets),
        rates=tuple(rates),
        expires=expires,
        grant=grant,
    )


def new_secret(id: str) -> str:  # noqa: A002
    """Return ``otium_ID_SECRET`` with 256 random bits in its last part."""
    random = base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode().rstrip("=")
    return f"otium_{id}_{random}"


def insert_key(connection: Connection, key: Key) -> Issued:
    """Write a planned key inside the caller's transaction and give it its secret."""
    secret = new_secret(key.id)
    values = {
        "id": key.id,
        "hash": commit_to(secret),
        "previous": "",
        "previous_until": "",
        "facts": key.encode().decode(),
        "changed": tables.next_number(connection, "keys"),
    }
    connection.execute(insert(tables.keys).values(**values))
    write_lines(connection, [Line(time=key.created, key=key.id, act="key.created")])
    return Issued(key=key, secret=secret)


def revoke_key(connection: Connection, id: str, reason: str, now: Instant) -> Key:  # noqa: A002
    """Revoke a key inside the caller's transaction. Again changes nothing."""
    number = tables.next_number(connection, "keys")
    row = find_row(connection, id)
    if row.key.revoked:
        return row.key
    revoked = replace(row.key, revoked=now, reason=reason)
    _store(connection, revoked, number)
    write_lines(connection, [Line(time=now, key=id, act="key.revoked")])
    return revoked


def forget_owner(connection: Connection, id: str) -> None:  # noqa: A002
    """Take its owner's name from a key, inside the caller's transaction."""
    number = tables.next_number(connection, "keys")
    _store(connection, replace(find_row(connection, id).key, owner=""), number)


def find_row(connection: Connection, key: str) -> Row:
    """Return a key's row by its id or its secret; raise NotFound, naming no secret."""
    by_id = _ID.fullmatch(key) is not None
    mine = tables.keys.c.id == key if by_id else tables.keys.c.hash == commit_to(key)
    row = connection.execute(select(tables.keys).where(mine)).mappings().first()
    if row is None:
        raise NotFound(what=f"the key {key}" if by_id else "that key")
    return _read(row)


def _store(connection: Connection, key: Key, number: int, **columns: str) -> None:
    mine = tables.keys.c.id == key.id
    facts = key.encode().decode()
    connection.execute(
        update(tables.keys).where(mine).values(facts=facts, changed=number, **columns)
    )


def _read(row: RowMapping) -> Row:
    return Row(
        key=Key.decode(row["facts"].encode()),
        hash=row["hash"],
        previous=row["previous"],
        previous_until=row["previous_until"],
        changed=row["changed"],
    )
