"""Who asked, in private, and what the log says of each request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    String,
    Table,
    Text,
    select,
    update,
)

from otium.access.records import (
    APPEALED,
    DECIDED,
    GRANTED,
    REQUESTED,
    WITHDRAWN,
    Asked,
    Decided,
    Standing,
    State,
)
from otium.admission import Keys, forget_owner, revoke_key
from otium.database import open_database, scrub
from otium.errors import BadInput, NotFound
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.quotas import TABLES

_REASON = "access was withdrawn"
requests = Table(
    "access_requests",
    TABLES,
    Column("id", String(20), primary_key=True),
    Column("commitment", String(71), nullable=False, unique=True),
    Column("facts", Text, nullable=False),  # an Asked; empty once it was withdrawn
    Column("salt", String(64), nullable=False),  # as the facts
    Column("appeal", Text, nullable=False),
    Column("key", String(20), nullable=False),
)


class Desk:
    """The requests of one house: private rows in a database, and the log that has the say.

    Each write is: the row, then the entry. What a crash left without its entry gets it before
    anything else is written. One writer at a time, who holds the registry.
    """

    def __init__(self, registry: Registry, url: str) -> None:
        """Keep what is private in the database at *url*, the gateway's."""
        self.registry = registry
        self.engine: Engine = open_database(url, TABLES)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def all(self) -> list[Standing]:
        """Return every request, in the order in which the log has them."""
        rows = self._rows()
        return [
            _standing(entries, rows.get(commitment))
            for commitment, entries in _by_commitment(self.registry.entries()).items()
        ]

    def find(self, request: str) -> Standing:
        """Return one request by its id or its commitment; raise NotFound."""
        for one in self.all():
            if request and request in {one.id, one.commitment}:
                return one
        raise NotFound(what=f"the request for access {request!r}")

    def settle(self) -> None:
        """Log what a crash left unlogged, and erase what it left of somebody who withdrew."""
        known = _by_commitment(self.registry.entries())
        for commitment, row in self._rows().items():
            if not row["facts"]:
                continue
            asked = Asked.decode(row["facts"].encode())
            types = {entry.type for entry in known.get(commitment, ())}
            if not types:
                names = ("kind", "terms", "terms_digest")
                body = {"commitment": commitment, **{it: getattr(asked, it) for it in names}}
                self.registry.log(REQUESTED, asked.model, body)
            if WITHDRAWN in types:
                self.erase(row["id"])
            elif row["key"] and GRANTED not in types:
                self.log_grant(commitment, asked, row["key"])

    def log_grant(self, commitment: str, asked: Asked, key: str) -> None:
        """Log that there is a key. Not which: its id stands in other logs."""
        expires = Keys(self.engine).find(key).expires
        body = {"commitment": commitment, "expires": expires}
        self.registry.log(GRANTED, asked.model, body)

    def erase(self, request: str) -> None:
        """End the key of a request and delete all that says whose it is."""
        with self.engine.begin() as connection:
            key = connection.execute(select(requests.c.key).where(_is(request))).scalar_one()
            if key:
                revoke_key(connection, key, _REASON, self.registry.now())
                forget_owner(connection, key)
            nothing = {"facts": "", "salt": "", "appeal": ""}
            connection.execute(update(requests).where(_is(request)).values(**nothing))
        scrub(self.engine, "access_requests", "admission_keys")

    def asked(self, request: str) -> tuple[Standing, Asked]:
        """Return a request that has not been withdrawn; raise NotFound, or BadInput if it has."""
        standing = self.find(request)
        if standing.asked is None:
            raise BadInput(what=f"the request {request}", why="it was withdrawn")
        return standing, standing.asked

    def salt(self, request: str) -> bytes:
        """Return the salt of a request's commitments."""
        with self.engine.connect() as connection:
            query = select(requests.c.salt).where(_is(request))
            return bytes.fromhex(connection.execute(query).scalar_one())

    def put(self, connection: Connection, request: str, **columns: str) -> None:
        """Change a request's row, inside a transaction."""
        connection.execute(update(requests).where(_is(request)).values(**columns))

    def _rows(self) -> dict[str, RowMapping]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(requests)).mappings().all()
        return {row["commitment"]: row for row in rows}


def _is(request: str) -> ColumnElement[bool]:
    return requests.c.id == request


def _by_commitment(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.type.startswith("access."):
            commitment = str(entry.body.get("commitment"))
            if entry.type == REQUESTED or commitment in found:
                found[commitment].append(entry)
    return found


def _standing(entries: list[Entry], row: RowMapping | None) -> Standing:
    first = entries[0]
    asked = Asked.decode(row["facts"].encode()) if row and row["facts"] else None
    decisions = [
        Decided.convert(
            {
                "outcome": entry.body.get("outcome"),
                "reason": entry.body.get("reason"),
                "time": entry.time,
            }
        )
        for entry in entries
        if entry.type == DECIDED
    ]
    given = next((entry for entry in entries if entry.type == GRANTED), None)
    return Standing.convert(
        {
            "id": row["id"] if row else "",
            "model": first.subject,
            "kind": first.body.get("kind"),
            "terms": first.body.get("terms"),
            "state": _state([entry.type for entry in entries], decisions),
            "commitment": first.body.get("commitment"),
            "time": first.time,
            "decisions": [one.plain() for one in decisions],
            "key": row["key"] if row else "",
            "expires": given.body.get("expires") if given else None,
            "asked": asked.plain() if asked else None,
            "appeal": row["appeal"] if row else "",
        }
    )


def _state(types: list[str], decisions: list[Decided]) -> State:
    """Return the state that the entries of a request lead to."""
    if WITHDRAWN in types:
        return "withdrawn"
    if GRANTED in types:
        return "given"
    last = next((one for one in reversed(types) if one in {APPEALED, DECIDED}), "")
    if last == DECIDED:
        return decisions[-1].outcome
    return "appealed" if last == APPEALED else "asked"
