"""Rate limits: GCRA, in the form in which several gateways can share it.

The generic cell rate algorithm (ATM Forum, Traffic Management 4.0, §4.4; the virtual scheduling
form) keeps one number for a limit: the time at which the bucket will be full again. To take n
of *amount* per *seconds* moves that time by ``n * seconds / amount``; it is allowed while the
time is at most ``burst * seconds / amount`` ahead of now. Gateways add what they took to one
shared number every `PERIOD` seconds, and between two of these look at their own copy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sqlalchemy import Connection, bindparam, case, select, update

from otium.quotas import tables
from otium.quotas.records import Rate

_ROUNDING = 1e-5
"""Seconds: a double holds today's Unix time to 2.4e-7, and a burst adds up many of them."""
_AT_ONCE = 200
"""How many names a query may compare with."""


class Gate:
    """One rate limit of one key, or of one key and model. Not locked: its owner does that."""

    __slots__ = (
        "base",
        "burst",
        "each",
        "fresh",
        "full_at",
        "key",
        "name",
        "rate",
        "share",
        "spot",
    )

    def __init__(self, key: str, rate: Rate, model: str) -> None:
        """Begin with a full bucket; *share* gateways share it, as far as is known."""
        self.key = key
        self.rate = rate
        self.name = f"{rate.unit}/{rate.seconds}/{model}"
        self.spot = (key, self.name)
        self.each = rate.seconds / rate.amount
        self.base = (rate.burst or rate.amount) * self.each
        self.burst = self.base
        self.share = 1
        self.full_at = 0.0
        self.fresh = 0.0
        """What was taken since the shared number was last told, in seconds."""

    def wait(self, now: float, amount: int, share: int = 1) -> float:
        """Return how many seconds pass until *amount* may be taken; 0 if it may be now.

        More than the bucket holds may be taken when it is full.
        """
        if share != self.share:
            self.share, self.burst = share, max(self.base / share, self.each)
        ahead = self.full_at - now
        if ahead <= 0:
            return 0.0
        wait = ahead + min(amount * self.each, self.burst) - self.burst
        return wait if wait > _ROUNDING else 0.0

    def take(self, now: float, amount: int) -> None:
        """Take *amount*, which `wait` has allowed; a negative one gives back."""
        moved = amount * self.each
        self.full_at = max(self.full_at, now) + moved if amount > 0 else self.full_at + moved
        self.fresh += moved

    def left(self, now: float) -> int:
        """Return how many could be taken now."""
        free = self.base - max(self.full_at - now, 0.0)
        return max(math.floor(free / self.each + 1e-6), 0)

    def reset(self, now: float) -> float:
        """Return the seconds until the bucket is full again."""
        return max(self.full_at - now, 0.0)


def share_gates(connection: Connection, gates: Sequence[tuple[Gate, float]], now: float) -> None:
    """Add what each gate took to its shared number, inside the caller's transaction."""
    for gate, _ in gates:
        row = {"key": gate.key, "gate": gate.name, "full_at": now}
        tables.put_if_absent(connection, tables.rates, row)
    columns = tables.rates.c
    base = case((columns.full_at > now, columns.full_at), else_=now)
    mine = (columns.key == bindparam("its_key"), columns.gate == bindparam("its_gate"))
    told = [{"its_key": it.key, "its_gate": it.name, "took": took} for it, took in gates]
    connection.execute(
        update(tables.rates).where(*mine).values(full_at=base + bindparam("took")), told
    )


def shared_numbers(connection: Connection, keys: Iterable[str]) -> dict[tuple[str, str], float]:
    """Return the shared number of every gate of some keys."""
    wanted, found = sorted(set(keys)), {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        query = select(tables.rates).where(tables.rates.c.key.in_(some))
        for row in connection.execute(query):
            found[row.key, row.gate] = row.full_at
    return found


def rate_headers(gates: Iterable[Gate], now: float) -> dict[str, str]:
    """Return OpenAI's and Anthropic's headers for the gates that leave least.

    ``x-ratelimit-reset-*`` is a duration (``6m0s``), ``anthropic-ratelimit-*-reset`` an instant
    (RFC 3339), both of the moment at which the bucket is full again.
    """
    tightest: dict[str, Gate] = {}
    for gate in gates:
        unit = gate.rate.unit
        if unit not in tightest or gate.left(now) < tightest[unit].left(now):
            tightest[unit] = gate
    headers = {}
    for name, gate in tightest.items():
        limit, left, reset = str(gate.rate.amount), str(gate.left(now)), gate.reset(now)
        headers[f"x-ratelimit-limit-{name}"] = limit
        headers[f"x-ratelimit-remaining-{name}"] = left
        headers[f"x-ratelimit-reset-{name}"] = duration(reset)
        headers[f"anthropic-ratelimit-{name}-limit"] = limit
        headers[f"anthropic-ratelimit-{name}-remaining"] = left
        headers[f"anthropic-ratelimit-{name}-reset"] = moment(now + reset)
    return headers


def duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it: ``120ms``, ``7.66s``, ``6m0s``, ``2h0m0s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest:.4g}s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{int(rest)}s" if hours else f"{minutes}m{int(rest)}s"


def moment(now: float) -> str:
    """Return Unix seconds as an RFC 3339 time in UTC, rounded up."""
    return _moment(math.ceil(now))


@lru_cache(maxsize=1024)
def _moment(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
