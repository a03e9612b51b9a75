"""The seam: who may ask now, what that reserves, and what it came to.

`Admission.enter` looks only at memory: two threads beside it read the keys and share what was
used. Once the keys could not be read for a second it refuses everybody, so that a revocation is
obeyed everywhere within that second, whatever breaks.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from otium.admission import refusing
from otium.admission.audit import forget_lines, write_lines
from otium.admission.keys import Keys
from otium.admission.known import Known, Notes, Ring
from otium.admission.records import Key, Line, Verb
from otium.database import open_database
from otium.quotas import TABLES, Bank, Gate, Lease, Sharing, moment, rate_headers, recover
from otium.records import Instant, Part

_COUNTED = frozenset({"chat", "prewarm"})
"""The verbs that use up budgets and rates."""
_DAY = 86400
_MOST_LINES = 100_000
_MOST_MODELS = 1000


class Terms(Part):
    """How a gateway shares. Times are seconds."""

    stale_seconds: float = 1.0
    """How old the keys may be; older, everybody is refused."""
    watch_seconds: float = 0.2
    """How often changed keys are read."""
    share_seconds: float = 0.25
    """How often rate limits are added up."""
    settle_seconds: float = 1.0
    """How often budgets and the audit log are written."""
    idle_seconds: float = 2.0
    """After how long without a request a lease of a budget is given back."""
    reserve_tokens: int = 4096
    """What is reserved for an answer of which nothing is known."""
    log_days: int = 90
    """How long the audit log is kept."""


class Caller:
    """One request that was let in. Settle it once, or cancel it."""

    __slots__ = ("at", "gates", "key", "leases", "model", "open", "opens", "reserved", "verb")

    def __init__(self, key: Key, model: str, verb: Verb, at: float, *, opens: bool) -> None:
        """Remember who asks for what."""
        self.key = key
        self.model = model
        self.verb = verb
        self.at = at
        self.opens = opens
        """Whether the key's scope names the model itself, or ``retired``, as a grant does."""
        self.gates: tuple[tuple[Gate, bool], ...] = ()
        self.leases: tuple[tuple[Lease, bool], ...] = ()
        self.reserved = 0
        self.open = True

    @property
    def id(self) -> str:
        """Return the key's id, which stays when its secret is changed."""
        return self.key.id


class _Ask(NamedTuple):
    presented: str | bytes
    model: str
    verb: Verb
    now: float
    tokens: int | None
    retired: bool


class Admission:
    """Who may ask, for one gateway of several on one database. Enter it as a context."""

    def __init__(
        self,
        url: str,
        *,
        fixed: Sequence[str] = (),
        journal: Path | None = None,
        terms: Terms | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the database at *url*.

        *fixed* are secrets that may do everything and stand in no database. *journal* is a
        folder of this machine, in which what was used outlives a kill. Without it a killed
        gateway's leases count as used.
        """
        self.terms = terms or Terms()
        self._engine = open_database(url, TABLES)
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._ring = Ring(fixed)
        self._notes = Notes(_MOST_LINES)
        self._stop = threading.Event()
        self._read_at = -math.inf
        self._settled = self._beaten = self._forgotten = -math.inf
        self._threads: list[threading.Thread] = []
        self.failures = 0
        """How often keys could not be read, or rates and budgets not shared."""
        holder = uuid.uuid4().hex
        if journal is not None:
            journal.mkdir(parents=True, exist_ok=True)
            recover(self._engine, journal)
        self._bank = Bank(self._engine, self._lock, holder=holder, folder=journal)
        self._sharing = Sharing(self._engine, self._lock, holder=holder)
        self.keys = Keys(self._engine)

    def __enter__(self) -> Self:
        """Read the keys, then go on reading and sharing in two threads."""
        self.refresh()
        self._sharing.beat(self._clock())
        for name, work, often in (
            ("keys", self.refresh, self.terms.watch_seconds),
            ("shares", self.share, self.terms.share_seconds),
        ):
            thread = threading.Thread(
                target=self._repeat, args=(work, often), name=f"otium-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, give back what was not used, and write what is noted."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        now = self._clock()
        self._sharing.close(now)
        self._bank.close(now)
        self._write()
        self._engine.dispose()

    @property
    def guarded(self) -> bool:
        """Say whether there is, or ever was, a key: then nobody comes in without one."""
        return self._ring.guarded

    @property
    def dropped(self) -> int:
        """Return how many lines of the audit log were lost, for want of a database."""
        return self._notes.dropped

    # Letting in

    def know(self, presented: str | bytes, now: float) -> Key:
        """Return whose secret this is; raise Refused (401, or 503 if that is not known)."""
        return self._known(presented, now).key

    def enter(
        self,
        presented: str | bytes,
        *,
        model: str = "",
        verb: Verb = "chat",
        now: float,
        tokens: int | None = None,
        retired: bool = False,
    ) -> Caller:
        """Let a request in and reserve for it, or raise Refused (401, 403, 404, 429, 503).

        *tokens* is the most that it can take, prompt and answer; *retired* says whether the
        model is. Waits for the database only if a budget's lease has run out; `admit` does
        that beside the event loop.
        """
        ask = _Ask(presented, model, verb, now, tokens, retired)
        while True:
            found = self._try(ask)
            if isinstance(found, Caller):
                return found
            self._draw(*found, now)

    async def admit(
        self,
        presented: str | bytes,
        *,
        model: str = "",
        verb: Verb = "chat",
        now: float,
        tokens: int | None = None,
        retired: bool = False,
    ) -> Caller:
        """Do the same on an event loop, which is never kept waiting."""
        ask = _Ask(presented, model, verb, now, tokens, retired)
        while True:
            found = self._try(ask)
            if isinstance(found, Caller):
                return found
            await asyncio.to_thread(self._draw, *found, now)

    def settle(self, caller: Caller, tokens_in: int, tokens_out: int) -> None:
        """Put what an answer took in place of what was reserved. A second time does nothing."""
        self._close(caller, tokens_in + tokens_out - caller.reserved, 0)

    def cancel(self, caller: Caller) -> None:
        """Give everything back: no model was asked."""
        self._close(caller, -caller.reserved, -1)

    def headers(self, caller: Caller) -> dict[str, str]:
        """Return the ``x-ratelimit-*`` and ``anthropic-ratelimit-*`` headers of an answer."""
        return rate_headers((gate for gate, _ in caller.gates), caller.at) if caller.gates else {}

    def note(self, line: Line) -> None:
        """Keep a line of the audit log; it is written within a second or so."""
        self._notes.append(line)

    # Beside it

    def refresh(self) -> None:
        """Read the keys that changed."""
        began = time.monotonic()
        rows, number = self.keys.changed_since(self._ring.number)
        self._ring.learn(rows, number)
        self._read_at = began

    def share(self) -> None:
        """Add up rate limits and, less often, settle budgets and write the audit log."""
        now, terms = self._clock(), self.terms
        self._sharing.exchange(now)
        if now - self._settled >= terms.settle_seconds:
            self._settled = now
            self._bank.settle(now, idle=terms.idle_seconds)
            self._write()
        if now - self._beaten >= 2 * terms.settle_seconds:
            self._beaten = now
            self._sharing.beat(now)
        if now - self._forgotten >= _DAY / 24:
            self._forgotten = now
            forget_lines(self._engine, Instant(moment(now - terms.log_days * _DAY)))

    def _repeat(self, work: Callable[[], None], often: float) -> None:
        while not self._stop.wait(often):
            try:
                work()
            except Exception:  # noqa: BLE001  # nothing may end the thread
                self.failures += 1

    def _write(self) -> None:
        lines = self._notes.take()
        if not lines:
            return
        try:
            with self._engine.begin() as connection:
                write_lines(connection, lines)
        except (DataError, IntegrityError, ValueError):
            self._write_apart(lines)
        except SQLAlchemyError:
            self._notes.add(lines, front=True)
            raise

    def _write_apart(self, lines: list[Line]) -> None:
        """Write lines one by one: a line that no database takes must not cost the others."""
        for line in lines:
            try:
                with self._engine.begin() as connection:
                    write_lines(connection, [line])
            except (DataError, IntegrityError, ValueError):
                self._notes.dropped += 1

    # The way through memory

    def _known(self, presented: str | bytes, now: float) -> Known:
        if time.monotonic() - self._read_at > self.terms.stale_seconds:
            raise refusing.unsure()
        return self._ring.find(presented, now)

    def _try(self, ask: _Ask) -> Caller | tuple[Lease, int]:
        known = self._known(ask.presented, ask.now)
        key, model, verb = known.key, ask.model, ask.verb
        if verb not in key.scope.verbs:
            raise refusing.not_permitted(verb)
        if model and not known.allows(model, retired=ask.retired):
            raise refusing.not_in_scope(model)
        opens = known.opens(model, retired=ask.retired)
        caller = Caller(key, model, verb, ask.now, opens=opens)
        if verb not in _COUNTED or not (key.rates or key.budgets):
            return caller
        if verb == "chat":
            caller.reserved = self.terms.reserve_tokens if ask.tokens is None else ask.tokens
        with self._lock:
            return self._reserve(caller, known)

    def _reserve(self, caller: Caller, known: Known) -> Caller | tuple[Lease, int]:
        now = caller.at
        gates, leases = self._gates(known, caller.model), self._leases(known, now)
        share, tokens = self._sharing.replicas, caller.reserved
        for gate, counts in gates:
            wait = gate.wait(now, tokens if counts else 1, share)
            if wait:
                raise refusing.too_fast(gate, wait, rate_headers((it for it, _ in gates), now))
        for lease, counts in leases:
            need = tokens if counts else 1
            if lease.granted - lease.charged < need:
                return lease, need
        for gate, counts in gates:
            self._sharing.take(gate, now, tokens if counts else 1)
        for lease, counts in leases:
            self._bank.charge(lease, tokens if counts else 1, now)
        caller.gates, caller.leases = gates, leases
        return caller

    def _close(self, caller: Caller, tokens: int, requests: int) -> None:
        with self._lock:
            if not caller.open:
                return
            caller.open = False
            for gate, counts in caller.gates:
                amount = tokens if counts else requests
                if amount:
                    self._sharing.take(gate, caller.at, amount)
            for lease, counts in caller.leases:
                amount = tokens if counts else requests
                if amount:
                    self._bank.charge(lease, amount, caller.at)

    def _gates(self, known: Known, model: str) -> tuple[tuple[Gate, bool], ...]:
        found = known.gates.get(model)
        if found is None:
            found = tuple(
                (
                    self._sharing.gate(known.key.id, rate, model if rate.each_model else ""),
                    rate.unit == "tokens",
                )
                for rate in known.key.rates
            )
            if len(known.gates) >= _MOST_MODELS:
                known.gates.clear()
            known.gates[model] = found
        return found

    def _leases(self, known: Known, now: float) -> tuple[tuple[Lease, bool], ...]:
        day = int(now // _DAY)
        if known.day[0] != day:
            name = moment(day * _DAY)[:10]
            leases = [(self._bank.lease(known.key.id, it, name), it) for it in known.key.budgets]
            known.day = (day, tuple((lease, it.unit == "tokens") for lease, it in leases))
        return known.day[1]

    def _draw(self, lease: Lease, need: int, now: float) -> None:
        try:
            enough = self._bank.draw(lease, need)
        except SQLAlchemyError as error:
            raise refusing.unsure() from error
        if not enough:
            raise refusing.used_up(lease.budget, now)
