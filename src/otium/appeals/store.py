"""Appeals and reviews, in the same database as the closed histories; what was said stands apart."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from otium.appeals.records import (
    GROUNDS,
    Appeal,
    Case,
    Content,
    Ground,
    Review,
    Verdict,
)
from otium.closure import Closings, Ending, Json
from otium.database import open_database, scrub
from otium.errors import BadInput, Exists, NotFound
from otium.records import Instant

LONGEST_NOTE = 4000
"""Letters of a user's own words."""
_LONGEST_ROLE = 64
_LARGEST = 1 << 20
"""Bytes of what a user gives for a review."""

_tables = MetaData()
_appeals = Table(
    "appeals",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("closing", String(32), nullable=False, index=True),
    Column("made", String(20), nullable=False),
    Column("consent", Boolean, nullable=False),
    Column("genuine", Boolean, nullable=True),
)
_contents = Table(
    "consented",
    _tables,
    Column("appeal", String(32), primary_key=True),
    Column("given", String(20), nullable=False, index=True),
    Column("content", Text, nullable=False),
)
_reviews = Table(
    "reviews",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("closing", String(32), nullable=False, index=True),
    Column("reviewer", String(64), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("ground", String(20), nullable=False),
    Column("reviewed", String(20), nullable=False),
    Column("logged", Boolean, nullable=False),
)


class Appeals:
    """What users and reviewers say about endings."""

    def __init__(self, url: str, closings: Closings) -> None:
        """Keep it at *url*, where *closings* are."""
        self._engine = open_database(url, _tables)
        self.closings = closings

    def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        self._engine.dispose()

    # Users

    def appeal(
        self,
        closing: str,
        caller: str,
        now: Instant,
        *,
        messages: Sequence[Mapping[str, object]] | None = None,
        note: str = "",
    ) -> Appeal:
        """Enter an appeal by the caller whose conversation it was; raise NotFound for others.

        *messages* and *note* are kept for its reviews until `withdraw` or `forget`, by the
        caller's consent, which giving them is. Whether the messages are the history that was ended
        is found by their hash. Raises BadInput for too much of them, Exists if it was appealed
        already.
        """
        ending = self.closings.ending(closing)
        if ending.caller != self.closings.caller(caller):
            raise NotFound(what=f"an ended conversation {closing!r} of yours")
        if self.case(closing).appeals:
            raise Exists(name=f"an appeal about {closing}")
        given = messages is not None or bool(note.strip())
        content = Content(messages=tuple(map(dict, messages or ())), note=note.strip())
        body = content.encode().decode()
        if len(note) > LONGEST_NOTE or len(body) > _LARGEST:
            raise BadInput(what="the appeal", why="it is too long")
        genuine = None
        if messages is not None:
            genuine = self.closings.is_of(ending, messages, caller)
        name = f"app_{secrets.token_hex(12)}"
        values = {"id": name, "closing": closing, "made": now, "consent": given, "genuine": genuine}
        with self._engine.begin() as connection:
            connection.execute(insert(_appeals).values(**values))
            if given:
                connection.execute(insert(_contents).values(appeal=name, given=now, content=body))
        return Appeal.convert({**values, "kept": given})

    def withdraw(self, appeal: str) -> bool:
        """Delete what a user gave for a review; return whether it was there."""
        with self._engine.begin() as connection:
            found = connection.execute(delete(_contents).where(_contents.c.appeal == appeal))
        scrub(self._engine, "consented")
        return bool(found.rowcount)

    def forget(self, before: Instant) -> int:
        """Delete what users gave before an instant; return how many."""
        with self._engine.begin() as connection:
            found = connection.execute(delete(_contents).where(_contents.c.given < before))
        if found.rowcount:
            scrub(self._engine, "consented")
        return found.rowcount

    def content(self, appeal: str) -> Content | None:
        """Return what a user gave for a review, if it is still here."""
        query = select(_contents.c.content).where(_contents.c.appeal == appeal)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else Content.decode(str(found).encode())

    # Reviewers

    def review(
        self, closing: str, reviewer: str, verdict: Verdict, ground: Ground, now: Instant
    ) -> Review:
        """Enter a review. The first decides: if it overturns, the history is open again.

        Raises NotFound; BadInput for a reviewer that is no role or an unknown ground; Exists if
        this reviewer decided already.
        """
        case = self.case(closing)
        if not is_role(reviewer):
            raise BadInput(what=f"the reviewer {reviewer!r}", why="name a role, such as reviewer-1")
        if ground not in GROUNDS:
            raise BadInput(what=f"the ground {ground!r}", why=f"it is one of {', '.join(GROUNDS)}")
        if any(it.reviewer == reviewer for it in case.reviews):
            raise Exists(name=f"a review of {closing} by {reviewer}")
        review = Review(
            closing=closing, reviewer=reviewer, verdict=verdict, ground=ground, reviewed=now
        )
        decides = not case.reviews and case.ending.kind == "ended"
        reopens = decides and verdict == "overturn"
        with self._engine.begin() as connection:
            values = {**review.plain(), "logged": not reopens}
            connection.execute(insert(_reviews).values(**values))
        if reopens:
            self.closings.reopen(closing)
        return review

    def case(self, closing: str) -> Case:
        """Return an ending with what was said about it; raise NotFound."""
        return self._cases([self.closings.ending(closing)])[0]

    def cases(self, *, model: str | None = None, state: str | None = None) -> list[Case]:
        """Return all endings and vetoed exits with what was said about them, the oldest first."""
        found = self._cases(self.closings.endings(model=model))
        return [it for it in found if state in {None, it.state}]

    def unlogged(self) -> list[Review]:
        """Return the reviews that reopened a history, and that the ledger does not have yet."""
        return self._reviews(_reviews.c.logged.is_(False))

    def mark_logged(self, review: Review) -> None:
        """Remember that the ledger has this reopening."""
        mine = (_reviews.c.closing == review.closing) & (_reviews.c.reviewer == review.reviewer)
        with self._engine.begin() as connection:
            connection.execute(update(_reviews).where(mine).values(logged=True))

    def _cases(self, endings: Sequence[Ending]) -> list[Case]:
        with self._engine.connect() as connection:
            query = select(_appeals).order_by(_appeals.c.number)
            appeals = connection.execute(query).mappings().all()
            kept = set(connection.execute(select(_contents.c.appeal)).scalars())
        made: dict[str, list[Appeal]] = {}
        for row in appeals:
            values: Json = {name: row[name] for name in Appeal.__struct_fields__ if name != "kept"}
            one = Appeal.convert({**values, "kept": row["id"] in kept})
            made.setdefault(one.closing, []).append(one)
        read: dict[str, list[Review]] = {}
        for review in self._reviews():
            read.setdefault(review.closing, []).append(review)
        return [
            Case(ending=it, appeals=tuple(made.get(it.id, ())), reviews=tuple(read.get(it.id, ())))
            for it in endings
        ]

    def _reviews(self, *wanted: Any) -> list[Review]:
        query = select(_reviews).where(*wanted).order_by(_reviews.c.number)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Review.convert({name: row[name] for name in Review.__struct_fields__}) for row in rows
        ]


def is_role(name: str) -> bool:
    """Return whether *name* is a role: small letters, digits and dashes, so no one's name."""
    plain = name.replace("-", "")
    return (
        0 < len(name) <= _LONGEST_ROLE
        and plain.isascii()
        and plain.isalnum()
        and plain == plain.lower()
    )
