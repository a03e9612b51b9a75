"""The keys in memory, found by the hash of what was presented, and what each may do."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import threading
from calendar import timegm
from collections.abc import Iterable
from time import strptime

from otium.admission.keys import Row
from otium.admission.records import RETIRED, Key, Line, Scope, commit_to, refusal
from otium.errors import Refused
from otium.quotas import Gate, Lease
from otium.records import Instant, hexadecimal

_FOR_EVER = float("inf")
_MEMORY = 1000
_MODEL = re.compile(r"[A-Za-z0-9._:/-]{1,100}")


class Known:
    """One key, made ready to be looked at thousands of times a second."""

    __slots__ = ("_exact", "_globs", "_memory", "_retired", "day", "expires", "gates", "key")

    def __init__(self, key: Key) -> None:
        """Make *key* ready."""
        self.key = key
        self.expires = seconds(key.expires) if key.expires else _FOR_EVER
        self.gates: dict[str, tuple[tuple[Gate, bool], ...]] = {}
        """The gates of a request, by model, and whether each counts tokens."""
        self.day: tuple[int, tuple[tuple[Lease, bool], ...]] = (-1, ())
        """The leases of the day with this number, and whether each counts tokens."""
        self._exact = frozenset(key.scope.models)
        globs = [it for it in key.scope.models if it != RETIRED]
        self._globs = re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)")
        self._retired = RETIRED in self._exact
        self._memory: dict[str, bool] = {}

    def allows(self, model: str, *, retired: bool) -> bool:
        """Say whether the scope has this model."""
        if retired and self._retired:
            return True
        found = self._memory.get(model)
        if found is None:
            found = _MODEL.fullmatch(model) is not None and self._globs.match(model) is not None
            if len(self._memory) < _MEMORY:
                self._memory[model] = found
        return found

    def opens(self, model: str, *, retired: bool) -> bool:
        """Say whether the scope names this model itself, not by a glob: as a grant does."""
        return model in self._exact or (retired and self._retired)


class Ring:
    """Every key by the hash of its secret. One thread writes, all read; nothing is locked.

    What is looked up is a SHA-256 that a stranger cannot steer, so how long that takes says
    nothing of any key. Nothing is compared with a secret.
    """

    def __init__(self, fixed: Iterable[str] = ()) -> None:
        """Begin with secrets that stand in no database, as keys that may do everything."""
        self.number = 0
        """The newest change that is known."""
        self.guarded = False
        """Whether there ever was a key: then nobody comes in without one."""
        self._by_hash: dict[bytes, tuple[Known, float]] = {}
        self._hashes: dict[str, tuple[bytes, ...]] = {}
        for secret in fixed:
            self._add_fixed(secret)

    def find(self, presented: str | bytes, now: float) -> Known:
        """Return the key of a secret, or raise Refused (401)."""
        raw = presented if isinstance(presented, bytes) else presented.encode(errors="replace")
        found = self._by_hash.get(hashlib.sha256(raw).digest())
        if found is None or now >= found[1]:
            raise _unknown()
        known = found[0]
        if known.key.revoked is not None:
            raise _unauthorised("key_revoked", "This key was revoked.")
        if now >= known.expires:
            raise _unauthorised("key_expired", f"This key expired at {known.key.expires}.")
        return known

    def learn(self, rows: Iterable[Row], number: int) -> None:
        """Take in keys that changed."""
        for row in rows:
            known, key = Known(row.key), row.key
            hashes = [(_raw(row.hash), _FOR_EVER)]
            if row.previous:
                hashes.append((_raw(row.previous), seconds(Instant(row.previous_until))))
            before = self._hashes.get(key.id, ())
            for one, until in hashes:
                self._by_hash[one] = (known, until)
            self._hashes[key.id] = tuple(one for one, _ in hashes)
            for gone in set(before) - set(self._hashes[key.id]):
                self._by_hash.pop(gone, None)
            self.guarded = True
        self.number = number

    def _add_fixed(self, secret: str) -> None:
        scope = Scope(models=("*", RETIRED), verbs=("chat", "models", "prewarm", "admin"))
        hash_ = commit_to(secret)
        name = hexadecimal(hash_)[:8]
        key = Key(id=f"fixed-{name}", owner="", scope=scope, created=Instant(""))
        row = Row(key=key, hash=hash_, previous="", previous_until="", changed=0)
        self.learn([row], 0)


class Notes:
    """Lines of the audit log that are still to be written. Locked by itself."""

    def __init__(self, most: int) -> None:
        """Hold at most so many; more are counted and dropped, oldest first."""
        self._most = most
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self.dropped = 0

    def add(self, lines: Iterable[Line], *, front: bool = False) -> None:
        """Take lines; at the *front* if they could not be written."""
        with self._lock:
            self._lines = [*lines, *self._lines] if front else [*self._lines, *lines]
            over = len(self._lines) - self._most
            if over > 0:
                self.dropped += over
                del self._lines[:over]

    def append(self, line: Line) -> None:
        """Take one line."""
        with self._lock:
            if len(self._lines) < self._most:
                self._lines.append(line)
            else:
                self.dropped += 1

    def take(self) -> list[Line]:
        """Return all and forget them."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines


def seconds(moment: Instant) -> float:
    """Return an instant as Unix seconds."""
    return float(timegm(strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))


def _raw(hash_: str) -> bytes:
    return bytes.fromhex(hash_.removeprefix("sha256:"))


def _unknown() -> Refused:
    return _unauthorised(
        "invalid_api_key", "A valid key is needed: Authorization: Bearer KEY, or x-api-key: KEY."
    )


def _unauthorised(code: str, message: str) -> Refused:
    headers = {"WWW-Authenticate": "Bearer"}
    return refusal(401, code, message, type="authentication_error", headers=headers)
