"""Who may leave whom: policies, probes and counts, beside the closed histories."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from otium.closure.records import EVERY, Policy, Probed
from otium.errors import BadInput
from otium.records import Instant, ModelId, Part

_FRESH = 1.0
"""Seconds that policies are known for without asking: an administrator's change takes so long."""

_own = MetaData()
_policies = Table(
    "exit_policies",
    _own,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("model", String(100), nullable=False),
    Column("caller", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("logged", Boolean, nullable=False),
)
_probes = Table(
    "exit_probes",
    _own,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("model", String(100), nullable=False, index=True),
    Column("body", Text, nullable=False),
)
_counts = Table(
    "exit_counts",
    _own,
    Column("model", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("conversations", Integer, nullable=False),
    Column("offered", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("vetoed", Integer, nullable=False),
)


def policy_tables(tables: MetaData) -> None:
    """Add these tables to *tables*, so that they are made with them."""
    for table in _own.sorted_tables:
        table.to_metadata(tables)


class Count(Part):
    """What happened with one model on one day."""

    model: ModelId
    day: str
    conversations: int = 0
    """Requests in which the model had not answered yet."""
    offered: int = 0
    ended: int = 0
    vetoed: int = 0


class Waiting(NamedTuple):
    """A policy that the ledger does not have yet."""

    number: int
    policy: Policy


class Policies:
    """The policies in force, what probes found, and how often the exit was used."""

    def __init__(self, engine: Engine) -> None:
        """Keep them in the database of *engine*."""
        self._engine = engine
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Policy] = {}
        self._read = float("-inf")
        self._counted: dict[tuple[str, str], list[int]] = {}
        self._counting = threading.Lock()

    def set(self, policy: Policy) -> Policy:
        """Put a policy in force; raise BadInput without a reason."""
        if not policy.reason.strip():
            raise BadInput(what="a change of the exit", why="it needs a reason, which is kept")
        values = {"model": policy.model, "caller": policy.caller, "logged": False}
        with self._engine.begin() as connection:
            connection.execute(insert(_policies).values(**values, body=policy.encode().decode()))
        self._read = float("-inf")
        return policy

    def all(self) -> list[Policy]:
        """Return every policy that was ever set, the oldest first."""
        query = select(_policies.c.body).order_by(_policies.c.number)
        with self._engine.connect() as connection:
            return [Policy.decode(it.encode()) for it in connection.execute(query).scalars()]

    def for_(self, model: str, caller: str = EVERY, default: Policy | None = None) -> Policy:
        """Return the policy in force, or *default*. *caller* is the hash by which it is kept.

        The newest for this caller and model goes before that for this caller, for this model,
        and for all.
        """
        if time.monotonic() - self._read > _FRESH:
            with self._lock:
                self._known = {(it.model, it.caller): it for it in self.all()}
                self._read = time.monotonic()
        known = self._known
        if known:
            for place in ((model, caller), (EVERY, caller), (model, EVERY), (EVERY, EVERY)):
                if place in known:
                    return known[place]
        return default or Policy()

    def unlogged(self) -> list[Waiting]:
        """Return the policies that the ledger does not have yet."""
        query = select(_policies).where(_policies.c.logged.is_(False)).order_by(_policies.c.number)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Waiting(it["number"], Policy.decode(it["body"].encode())) for it in rows]

    def mark_logged(self, number: int) -> None:
        """Remember that the ledger has this change."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_policies).where(_policies.c.number == number).values(logged=True)
            )

    # Probes

    def keep(self, probed: Probed) -> Probed:
        """Keep what a probe found."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(_probes).values(model=probed.model, body=probed.encode().decode())
            )
        return probed

    def probes(self, model: str | None = None) -> list[Probed]:
        """Return what probes found, the oldest first."""
        query = select(_probes.c.body).order_by(_probes.c.number)
        if model is not None:
            query = query.where(_probes.c.model == model)
        with self._engine.connect() as connection:
            return [Probed.decode(it.encode()) for it in connection.execute(query).scalars()]

    def probed(self, model: str, weights: str, engine: str) -> Probed | None:
        """Return the newest probe of these weights on this engine; another one says nothing."""
        found = [it for it in self.probes(model) if (it.weights, it.engine) == (weights, engine)]
        return found[-1] if found else None

    # Counts

    def count(
        self,
        model: str,
        now: Instant,
        *,
        begun: bool = False,
        offered: bool = False,
        ended: bool = False,
        vetoed: bool = False,
    ) -> None:
        """Count one request, in memory until `flush`."""
        with self._counting:
            kept = self._counted.setdefault((model, now[:10]), [0, 0, 0, 0])
            for place, happened in enumerate((begun, offered, ended, vetoed)):
                kept[place] += happened

    def flush(self) -> None:
        """Write what was counted."""
        with self._counting:
            counted, self._counted = self._counted, {}
        while counted:
            (model, day), numbers = counted.popitem()
            try:
                self._add(_count(model, day, numbers))
            except BaseException:
                with self._counting:  # none is lost: they are written the next time
                    for place, lost in (((model, day), numbers), *counted.items()):
                        kept = self._counted.setdefault(place, [0, 0, 0, 0])
                        kept[:] = [one + two for one, two in zip(kept, lost, strict=True)]
                raise

    def _add(self, count: Count) -> None:
        place = (_counts.c.model == count.model) & (_counts.c.day == count.day)
        names = ("conversations", "offered", "ended", "vetoed")
        more: Mapping[str, object] = {
            name: _counts.c[name] + getattr(count, name) for name in names
        }
        with self._engine.begin() as connection:
            if connection.execute(update(_counts).where(place).values(**more)).rowcount:
                return
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_counts).values(**count.plain()))
        except IntegrityError:  # another process made the row meanwhile
            with self._engine.begin() as connection:
                connection.execute(update(_counts).where(place).values(**more))

    def counts(self, model: str | None = None) -> list[Count]:
        """Return what was counted and written, day by day."""
        query = select(_counts).order_by(_counts.c.model, _counts.c.day)
        if model is not None:
            query = query.where(_counts.c.model == model)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Count.convert({name: it[name] for name in Count.__struct_fields__}) for it in rows]


def _count(model: str, day: str, numbers: list[int]) -> Count:
    begun, offered, ended, vetoed = numbers
    return Count(
        model=ModelId(model),
        day=day,
        conversations=begun,
        offered=offered,
        ended=ended,
        vetoed=vetoed,
    )
