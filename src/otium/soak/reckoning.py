"""The reckoning: what was acknowledged, held against the state and the ledger that are left.

What each kind of record promises is said in ``docs/reference/acknowledged.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from otium.access import Desk as Access
from otium.admission import Key, Line, open_keys, read_lines
from otium.appeals import Appeals
from otium.bench import Goal
from otium.closure import Closings
from otium.errors import OtiumError
from otium.ledger import Entry
from otium.quotas import read_budget, used
from otium.records import SystemClock
from otium.soak.desk import BUDGETS
from otium.soak.records import Acknowledged, Attempt, Life, Setting, SoakReport
from otium.workflow import reading

_ALL = 10_000_000
_UNKNOWN = {"invalid_api_key", "key_revoked", "key_expired", "admission_unavailable"}
"""Refusals in whose lines no key stands, and no model; the last has both if a budget was meant."""
_ANSWERED = {"answered", "ended"}
_TOLD = {"whole", "refused", "failed"}
_SLACK = 1.0
"""Seconds by which a client may notice late that a connection was broken by a kill."""

_Signature = tuple[str, str, str, str, int, int]
"""Of a line: key, API, model, code, tokens read and written."""


class _State(NamedTuple):
    """All that is left."""

    lines: list[Line]
    keys: dict[str, Key]
    entries: list[Entry]
    broken: str
    """Why the ledger does not verify; empty if it does."""


class Reckoning:
    """Compares, and keeps the figures and the first of what should not be."""

    def __init__(self, setting: Setting, noted: Acknowledged, home: Path, url: str) -> None:
        """Read the state at *url* and the ledger in *home*."""
        self._setting = setting
        self._noted = noted
        self._home, self._url = home, url
        self._state = _read(home, url)
        self.goals: list[Goal] = []
        self.problems: list[str] = []
        self.seen: dict[str, float] = {}

    def all(self) -> None:
        """Compare every kind."""
        noted = self._noted
        self.none("wrong-model answers", noted.wrong)
        self.none("answers on a closed history", noted.reopened)
        self.none("answers to a revoked key, refusals of a good one", noted.forbidden)
        self.none("requests lost", noted.lost)
        self.none("connections broken without a kill", self._unexplained())
        self._audit()
        self._spent()
        self._endings()
        self.none("appeals lost", self._appeals())
        self.none("keys and grants lost", self._keys())
        broken = [self._state.broken] if self._state.broken else []
        self.none("ledgers that do not verify", broken)

    def none(self, what: str, found: Sequence[str], count: int | None = None) -> None:
        """Keep a figure that must be 0."""
        reached = len(found) if count is None else count
        self.goals.append(Goal(what=what, unit="", better="less", target=0, reached=reached))
        self.problems += [f"{what}: {one}" for one in found]

    def _unexplained(self) -> list[str]:
        """Return attempts that broke while their gateway lived on."""
        found = []
        for one in self._noted.attempts:
            life, ended = one.life, one.life.ended
            killed = life.killed and ended is not None and ended <= one.over + _SLACK
            starting = one.outcome == "unconnected" and (life.up is None or one.sent < life.up)
            if one.outcome in {"broken", "unconnected"} and not (killed or starting):
                found.append(f"{one.kind} by {one.api} at {one.life.name}: {one.outcome}")
        return found

    # The audit log

    def _audit(self) -> None:
        told = [one for one in self._noted.attempts if one.outcome in _TOLD]
        every = Counter(_of_attempt(one) for one in told)
        owed = Counter(_of_attempt(one) for one in told if not self._in_window(one))
        lines = [one for one in self._state.lines if one.act in {it.api for it in told}]
        kept = Counter(map(_of_line, lines))
        lost = owed - kept
        self.none("lines of the audit log lost", _said(lost), lost.total())
        self.seen["lines within the window of a kill"] = (every - owed).total()
        self.seen["of them lost"] = (every - (kept | owed)).total()
        sent = Counter(_of_attempt(one)[:2] for one in self._noted.attempts)
        extra = Counter(_of_line(one)[:2] for one in lines) - sent
        faults = Counter(one.code for one in self._state.lines if one.act == "service")
        self.seen |= {f"noted by a gateway: {code}": count for code, count in faults.items()}
        self.none("lines of the audit log that nobody asked for", _said(extra), extra.total())

    def _in_window(self, one: Attempt) -> bool:
        """Return whether a kill came so soon after an answer that its line may be lost."""
        ended = one.life.ended
        return one.life.killed and ended is not None and one.over > ended - self._setting.window

    # Budgets

    def _spent(self) -> None:
        """Compare each key's use with the answers that its client had."""
        tokens, requests = map(read_budget, BUDGETS)
        day = SystemClock().now()[:10]
        uncounted, unexplained, over, held = [], [], [], []
        keys = open_keys(self._url)
        for key in sorted(self._noted.keys.keys() - self._noted.grants.values()):
            mine = [one for one in self._noted.attempts if one.key == key]
            whole = [one for one in mine if one.outcome == "whole"]
            doubtful = [one for one in mine if one.outcome in {"broken", "failed", "left"}]
            least = (sum(one.read + one.written for one in whole), len(whole))
            more = (sum(one.reserved for one in doubtful), len(doubtful))
            for number, found in enumerate(used(keys.engine, key, [tokens, requests], day)):
                most = least[number] + more[number]
                of = f"{found.used} {found.budget.unit}"
                what = f"{key}: {of}, {least[number]} to {most} by its client"
                if found.used < least[number]:
                    uncounted.append(what)
                if found.used > most:
                    unexplained.append(what)
                if found.used > found.budget.amount:
                    over.append(what)
                if found.held:
                    held.append(f"{key}: {found.held} {found.budget.unit}")
        keys.engine.dispose()
        self.none("budgets in which answered requests are missing", uncounted)
        self.none("budgets charged with more than was sent", unexplained)
        self.none("budgets overdrawn", over)
        self.none("budgets still lent to a gateway that ended", held)

    # Endings, appeals, keys

    def _endings(self) -> None:
        closings = Closings(self._url)
        known = {one.id: one for one in closings.endings(kind="ended")}
        logged = Counter(
            str(one.body["closing"])
            for one in self._state.entries
            if one.type == "conversation.ended"
        )
        told = self._noted.endings
        lost = [name for name in told if name not in known]
        opened = [
            name
            for name, (key, said) in told.items()
            if name in known and closings.look(said, key).closed != name
        ]
        closings.close()
        self.none("endings lost", lost)
        self.none("ended histories that are open", opened)
        self.none("endings that the ledger does not have", sorted(known.keys() - logged.keys()))
        strange = [name for name, count in logged.items() if count > 1 or name not in known]
        self.none("endings that the ledger has twice, or alone", strange)
        self.seen["endings kept that no client was told of"] = len(known.keys() - told.keys())

    def _appeals(self) -> list[str]:
        closings = Closings(self._url)
        appeals = Appeals(self._url, closings)
        kept = {case.ending.id: {one.id for one in case.appeals} for case in appeals.cases()}
        appeals.close()
        closings.close()
        return [
            f"{appeal or 'an appeal'} about {ending}"
            for ending, appeal in self._noted.appeals.items()
            if not kept.get(ending) or (appeal and appeal not in kept[ending])
        ]

    def _keys(self) -> list[str]:
        keys, noted = self._state.keys, self._noted
        lost = [f"key {name}" for name in noted.keys if name not in keys]
        kept = noted.revoked.keys() & keys.keys()
        lost += [f"revocation of {name}" for name in kept if not keys[name].revoked]
        access = Access(reading(self._home).registry, self._url)
        found = {one.id: one for one in access.all()}
        access.close()
        for request, key in noted.grants.items():
            standing = found.get(request)
            if standing is None or (standing.state, standing.key) != ("given", key):
                lost.append(f"grant {request}")
        return lost


def reckon(
    setting: Setting,
    noted: Acknowledged,
    lives: Sequence[Life],
    *,
    home: Path,
    url: str,
    database: str,
    engines_killed: int,
) -> SoakReport:
    """Compare what was acknowledged with what is left, and return the report."""
    reckoning = Reckoning(setting, noted, home, url)
    reckoning.all()
    outcomes = Counter(map(_outcome, noted.attempts))
    return SoakReport(
        database=database,
        seconds=setting.seconds,
        gateways_killed=sum(life.killed for life in lives),
        gateways_started=len(lives),
        engines_killed=engines_killed,
        attempts=len(noted.attempts),
        outcomes=dict(sorted(outcomes.items())),
        results=dict(sorted(noted.results.items())),
        acknowledged=dict(_acknowledged(noted)),
        seen=reckoning.seen,
        goals=tuple(reckoning.goals),
        problems=tuple(reckoning.problems[:20]),
    )


def _acknowledged(noted: Acknowledged) -> Iterator[tuple[str, int]]:
    whole = [one for one in noted.attempts if one.outcome == "whole"]
    yield "answers", len(whole)
    yield "tokens", sum(one.read + one.written for one in whole)
    yield "refusals", sum(one.outcome == "refused" for one in noted.attempts)
    yield "endings", len(noted.endings)
    closed = sum(one.code == "conversation_ended" for one in noted.attempts)
    yield "attempts on closed histories", closed
    yield "appeals", len(noted.appeals)
    yield "keys", len(noted.keys)
    yield "revocations", len(noted.revoked)
    yield "grants", len(noted.grants)


def _read(home: Path, url: str) -> _State:
    keys = open_keys(url)
    lines = read_lines(keys.engine, limit=_ALL)
    found = {one.id: one for one in keys.all()}
    keys.engine.dispose()
    try:
        return _State(lines, found, reading(home).registry.entries(), "")
    except OtiumError as error:
        return _State(lines, found, [], str(error))


def _outcome(one: Attempt) -> str:
    """Return how an attempt ended; of a failure also what is said of its cause."""
    cause = one.why.rpartition(": ")[2].rstrip(".") if one.outcome == "failed" else ""
    return " ".join(filter(None, (one.outcome, one.code, cause and f"({cause})")))


def _of_attempt(one: Attempt) -> _Signature:
    return _signature(one.key, one.api, one.model, one.code, one.read, one.written)


def _of_line(one: Line) -> _Signature:
    return _signature(one.key, one.act, one.model, one.code, one.tokens_in, one.tokens_out)


def _signature(key: str, api: str, model: str, code: str, *tokens: int) -> _Signature:
    """Return what a line and its client's view of the answer have in common."""
    if code in _UNKNOWN:
        key = model = ""
    read, written = tokens if code in _ANSWERED else (0, 0)
    return (key, api, model, code, read, written)


def _said(found: Counter[_Signature] | Counter[tuple[str, str]]) -> list[str]:
    return [" ".join(map(str, one)) for one in list(found)[:10]]
