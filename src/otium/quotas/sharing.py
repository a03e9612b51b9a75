"""The gates of one gateway, and how they learn what the others took."""

from __future__ import annotations

import threading

from sqlalchemy import Engine, delete, func, insert, select, update

from otium.quotas import tables
from otium.quotas.limits import Gate, share_gates, shared_numbers
from otium.quotas.records import Rate

_MOST = 20_000
"""Beyond so many gates those that are full, and so say nothing, are dropped."""
_ATTENTIVE = 60.0
"""Seconds for which a key that asked is watched for what it takes elsewhere."""
_ALIVE = 10.0
"""Seconds after which a gateway that says nothing is not counted."""


class Sharing:
    """Rate limits in memory, added up in the database now and then."""

    def __init__(self, engine: Engine, lock: threading.Lock, *, holder: str) -> None:
        """Share by the database of *engine*; *lock* guards the gates."""
        self._engine = engine
        self._lock = lock
        self._holder = holder
        self._gates: dict[tuple[str, str], Gate] = {}
        self._taken: set[Gate] = set()
        self._watched: dict[str, float] = {}
        self.replicas = 1
        """How many gateways share each limit, this one too, as far as is known."""

    def gate(self, key: str, rate: Rate, model: str) -> Gate:
        """Return the gate of a rate; *lock* is held."""
        gate = Gate(key, rate, model)
        return self._gates.setdefault(gate.spot, gate)

    def take(self, gate: Gate, now: float, amount: int) -> None:
        """Take, or give back, and have the others told; *lock* is held."""
        gate.take(now, amount)
        self._taken.add(gate)
        self._gates.setdefault(gate.spot, gate)  # it may have been dropped as full

    def exchange(self, now: float) -> None:
        """Tell what was taken, and learn what others took."""
        with self._lock:
            taken = [(gate, gate.fresh) for gate in self._taken if gate.fresh]
            for gate, _ in taken:
                gate.fresh = 0.0
                self._watched[gate.key] = now
            self._taken.clear()
            self._watched = {it: at for it, at in self._watched.items() if now - at < _ATTENTIVE}
            watched = list(self._watched)
        if not watched:
            return
        try:
            with self._engine.begin() as connection:
                if taken:
                    taken.sort(key=lambda one: (one[0].key, one[0].name))
                    share_gates(connection, taken, now)
                found = shared_numbers(connection, watched)
        except BaseException:
            with self._lock:  # told again; if the database heard it, it counts twice
                for gate, took in taken:
                    gate.fresh += took
                    self._taken.add(gate)
            raise
        with self._lock:
            self._learn(found, now)

    def _learn(self, found: dict[tuple[str, str], float], now: float) -> None:
        for spot, full_at in found.items():
            gate = self._gates.get(spot)
            if gate is not None:
                gate.full_at = max(full_at, now) + gate.fresh if gate.fresh else full_at
        if len(self._gates) > _MOST:
            full = [it for it, gate in self._gates.items() if gate.full_at < now]
            for spot in full:
                if self._gates[spot] not in self._taken:
                    del self._gates[spot]

    def beat(self, now: float) -> None:
        """Say that this gateway is there, and count the others."""
        replicas = tables.replicas
        mine = replicas.c.holder == self._holder
        with self._engine.begin() as connection:
            if not connection.execute(update(replicas).where(mine).values(seen=now)).rowcount:
                connection.execute(insert(replicas).values(holder=self._holder, seen=now))
            alive = replicas.c.seen > now - _ALIVE
            count = connection.execute(select(func.count()).where(alive)).scalar_one()
        self.replicas = max(count, 1)

    def close(self, now: float) -> None:
        """Tell what is untold, and leave."""
        self.exchange(now)
        with self._engine.begin() as connection:
            gone = tables.replicas.c.holder == self._holder
            old = tables.replicas.c.seen < now - 100 * _ALIVE
            connection.execute(delete(tables.replicas).where(gone | old))
