"""Budgets: each gateway spends from leases that it drew from the shared database.

``windows.drawn`` is what was used of a budget plus what is lent, and never passes the budget by
what is lent. A lease is charged in memory, so an answer costs no query. A gateway that dies
holds its leases until its `journal` is read; without one they count as used. So nothing that
dies, and no partition, lets a key use more than its budget: the one way past it is an answer
that takes more tokens than were reserved for it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, select, update

from otium.quotas import tables
from otium.quotas.journal import Journal, dead_holders, holder_of, left_behind
from otium.quotas.limits import moment
from otium.quotas.records import Budget, Used

_PART = 16
"""A lease takes at most this part of what is left, unless one request needs more."""
_MOST = 1024
"""A lease is drawn for at most so many requests like the one that needs it."""
_DAY = 86400
_PAUSE = 0.25
"""Seconds for which a budget that was found empty is not looked at again."""


class Lease:
    """What this gateway may still use of one budget in one window."""

    __slots__ = (
        "budget",
        "charged",
        "drawing",
        "dry",
        "granted",
        "id",
        "key",
        "last",
        "place",
        "told",
        "window",
    )

    def __init__(self, key: str, budget: Budget, window: str) -> None:
        """Begin with nothing."""
        self.key = key
        self.budget = budget
        self.window = window
        self.id = ""
        self.granted = 0
        self.charged = 0
        self.told = 0
        """What of `charged` the database knows."""
        self.last = 0.0
        """When it was charged last."""
        self.place = -1
        self.dry = (0, 0.0)
        """A need that the budget could not meet, and until when nobody asks again (monotonic)."""
        self.drawing = threading.Lock()

    def left(self) -> int:
        """Return what may be used without asking."""
        return self.granted - self.charged


class Bank:
    """The leases of one gateway."""

    def __init__(
        self, engine: Engine, lock: threading.Lock, *, holder: str, folder: Path | None
    ) -> None:
        """Draw from the database of *engine*; *lock* guards what leases and journal say."""
        self._engine = engine
        self._lock = lock
        self._holder = holder
        self._journal = Journal(folder, holder)
        self._leases: dict[tuple[str, str], Lease] = {}

    def lease(self, key: str, budget: Budget, day: str) -> Lease:
        """Return the lease of a budget on a day; *lock* is held."""
        window = f"{budget.unit}/{budget.period}/{window_of(budget, day)}"
        found = self._leases.get((key, window))
        if found is None:
            found = self._leases[key, window] = Lease(key, budget, window)
        found.budget = budget
        return found

    def charge(self, lease: Lease, amount: int, now: float) -> None:
        """Use, or with a negative amount give back; *lock* is held."""
        lease.charged += amount
        lease.last = max(lease.last, now)
        self._journal.write(lease.place, lease.charged)

    def draw(self, lease: Lease, need: int) -> bool:
        """Get at least *need* for a lease, if the budget has it; asks the database."""
        with lease.drawing:
            now, (missing, until) = time.monotonic(), lease.dry
            if lease.left() < need and (now >= until or need < missing):
                self._exchange(lease, need, spare=True)
                lease.dry = (need, now + _PAUSE) if lease.left() < need else (0, 0.0)
            return lease.left() >= need

    def settle(self, now: float, *, idle: float) -> None:
        """Give back leases idle for so many seconds, draw what was overdrawn, tell the rest."""
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:
            if lease.left() < 0 or (lease.left() and now - lease.last >= idle):
                with lease.drawing:
                    self._exchange(lease, 0, spare=False)
        self._tell(leases)
        self._drop(leases, moment(now)[:10])

    def close(self, now: float) -> None:
        """Give everything back. What is reserved for answers that never came counts as used."""
        self.settle(now, idle=float("-inf"))
        with self._lock:
            charged = {it.id: it.charged for it in self._leases.values() if it.id}
        with self._engine.begin() as connection:  # what could not be given back before
            _give_back(connection, self._holder, charged)
        self._journal.close()

    def _exchange(self, lease: Lease, need: int, *, spare: bool) -> None:
        """Make the lease as large as it should be, in one transaction.

        What is given back is taken from the lease in memory first, what is drawn is added last:
        whatever happens in between, memory never has more than the database has lent.
        """
        with self._lock:
            if not spare:
                lease.granted = min(lease.granted, lease.charged)
            charged = lease.charged
        with self._engine.begin() as connection:
            granted, id_ = _move(connection, lease, self._holder, charged, need, spare=spare)
        with self._lock:
            if id_ != lease.id:
                lease.id = id_
                lease.place = self._journal.open(id_, lease.charged)
            lease.granted, lease.told = granted, charged

    def _tell(self, leases: Iterable[Lease]) -> None:
        """Let the database know what was charged, for people who look."""
        with self._lock:
            changed = [(it, it.charged) for it in leases if it.id and it.charged != it.told]
        if not changed:
            return
        with self._engine.begin() as connection:
            for lease, charged in changed:
                mine = tables.leases.c.id == lease.id
                connection.execute(update(tables.leases).where(mine).values(charged=charged))
        for lease, charged in changed:
            lease.told = charged

    def _drop(self, leases: Iterable[Lease], today: str) -> None:
        """Forget leases of days that are over, once nothing of them is lent or reserved."""
        for lease in leases:
            if lease.granted == lease.charged and not _is_now(lease.window, today):
                with self._engine.begin() as connection:
                    connection.execute(delete(tables.leases).where(tables.leases.c.id == lease.id))
                with self._lock:
                    self._leases.pop((lease.key, lease.window), None)
                    self._journal.close_slot(lease.place)
                    lease.place = -1


def recover(engine: Engine, folder: Path) -> dict[str, int]:
    """Settle what gateways of this machine left behind when they were killed.

    Returns what each of them gave back, by unit. Raises nothing if another does it at once.
    """
    found: dict[str, int] = {}
    for path in dead_holders(folder):
        with left_behind(path) as charged:
            if charged is not None:
                with engine.begin() as connection:
                    for unit, amount in _give_back(connection, holder_of(path), charged):
                        found[unit] = found.get(unit, 0) + amount
    return found


def used(engine: Engine, key: str, budgets: Iterable[Budget], day: str) -> list[Used]:
    """Return how much of each budget of a key is used on a day, as far as the database knows."""
    with engine.connect() as connection:
        return [_used(connection, key, budget, window_of(budget, day)) for budget in budgets]


def window_of(budget: Budget, day: str) -> str:
    """Return the window of a budget that a day (``2026-11-26``) lies in."""
    return {"day": day, "month": day[:7], "total": "total"}[budget.period]


def renews(budget: Budget, now: float) -> float | None:
    """Return the seconds until a budget begins anew, None if it never does."""
    if budget.period == "total":
        return None
    days = 1
    while budget.period == "month" and moment(now + days * _DAY)[:7] == moment(now)[:7]:
        days += 1
    return (now // _DAY + days) * _DAY - now


def _used(connection: Connection, key: str, budget: Budget, name: str) -> Used:
    spot = f"{budget.unit}/{budget.period}/{name}"
    windows, leases = tables.windows.c, tables.leases.c
    drawn = connection.execute(
        select(windows.drawn).where(windows.key == key, windows.window == spot)
    ).scalar()
    held = sum(
        granted - charged
        for granted, charged in connection.execute(
            select(leases.granted, leases.charged).where(leases.key == key, leases.window == spot)
        )
    )
    return Used(budget=budget, window=name, used=(drawn or 0) - held, held=held)


def _move(
    connection: Connection, lease: Lease, holder: str, charged: int, need: int, *, spare: bool
) -> tuple[int, str]:
    """Set what is lent to a lease, inside a transaction; return that, and the lease's id."""
    windows, leases = tables.windows, tables.leases
    row = {"key": lease.key, "window": lease.window, "drawn": 0}
    tables.put_if_absent(connection, windows, row)
    mine = (windows.c.key == lease.key, windows.c.window == lease.window)
    # A write that changes nothing locks the row in PostgreSQL, and the file in SQLite.
    connection.execute(update(windows).where(*mine).values(drawn=windows.c.drawn))
    drawn = connection.execute(select(windows.c.drawn).where(*mine)).scalar_one()
    had = connection.execute(select(leases.c.granted).where(leases.c.id == lease.id)).scalar()
    lent = had or 0
    free = max(lease.budget.amount - drawn, 0)
    want = charged
    if spare:
        want += max(need, min(free // _PART, need * _MOST))
    granted = max(min(want, lent + free), charged, lent if spare else 0)
    connection.execute(update(windows).where(*mine).values(drawn=drawn + granted - lent))
    if had is None:
        id_ = uuid.uuid4().hex
        connection.execute(
            insert(leases).values(
                id=id_,
                key=lease.key,
                window=lease.window,
                holder=holder,
                granted=granted,
                charged=charged,
            )
        )
        return granted, id_
    connection.execute(
        update(leases).where(leases.c.id == lease.id).values(granted=granted, charged=charged)
    )
    return granted, lease.id


def _give_back(
    connection: Connection, holder: str, charged: Mapping[str, int]
) -> Iterable[tuple[str, int]]:
    """Return to the windows what a dead holder had not used; inside a transaction."""
    leases, windows = tables.leases.c, tables.windows
    rows = connection.execute(
        select(tables.leases).where(leases.holder == holder).order_by(leases.key, leases.window)
    ).all()
    back = []
    for row in rows:
        unused = row.granted - charged.get(row.id, 0)
        mine = (windows.c.key == row.key, windows.c.window == row.window)
        connection.execute(update(windows).where(*mine).values(drawn=windows.c.drawn - unused))
        connection.execute(delete(tables.leases).where(leases.id == row.id))
        back.append((str(row.window).split("/")[0], unused))
    return back


def _is_now(window: str, today: str) -> bool:
    _, period, name = window.split("/")
    return name == {"day": today, "month": today[:7]}.get(period, name)
