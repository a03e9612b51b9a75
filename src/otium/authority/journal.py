"""The ledger as a house writes and reads it: signed when written, judged when read."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from otium.authority.judge import Judge, authorised
from otium.authority.keyring import Keyring
from otium.authority.records import Judgement, Refusal
from otium.authority.roles import keys_needed
from otium.errors import NeedsSecond, NotAuthorised
from otium.ledger import Entry, Ledger
from otium.records import Instant


class Journal:
    """A ledger, who signs in it here, and what of it counts.

    *waiting* keeps an act that lacks its second signature and returns the name to approve it by.
    """

    def __init__(
        self,
        ledger: Ledger,
        keyring: Keyring | None = None,
        waiting: Callable[[Entry], str] | None = None,
    ) -> None:
        """Read and write *ledger*; *keyring* is needed only to write where there are roles."""
        self.ledger = ledger
        self.keyring = keyring
        self.waiting = waiting
        self._origin = ledger.checkpoint().origin
        self._logged: list[Entry] = []
        self._entries: list[Entry] = []
        self._refused: list[Refusal] = []
        self._judge = Judge(self._origin)

    def logged(self) -> list[Entry]:
        """Return every entry of the log, those that count for nothing too."""
        self.read()
        return list(self._logged)

    def entries(self) -> list[Entry]:
        """Return the entries that were authorised, in log order."""
        self.read()
        return list(self._entries)

    def refused(self) -> list[Refusal]:
        """Return the entries that were not."""
        self.read()
        return list(self._refused)

    def judge(self) -> Judge:
        """Return the keys as they stand."""
        self.read()
        return self._judge

    def judgement(self) -> Judgement:
        """Return the whole judgement, made anew."""
        return authorised(self.logged(), self._origin)

    def read(self) -> int:
        """Bring what is known up to date; return how many entries count."""
        if self.ledger.size != len(self._logged):
            self._logged = self.ledger.entries()
            found = authorised(self._logged, self._origin)
            self._entries = list(found.entries)
            self._refused = list(found.refused)
            self._judge = Judge(
                self._origin,
                has_roles=found.has_roles,
                keys=found.keys,
                entries=found.entries,
            )
        return len(self._entries)

    def check(self, entry: Entry) -> None:
        """Raise NotAuthorised unless a key at hand may sign *entry*."""
        if self.judge().has_roles:
            self._keys(entry).sign(entry, self._judge, entry.time)

    def append(self, entry: Entry) -> Entry:
        """Sign *entry* as its type asks, and log it; return it as it stands in the log.

        Raises NotAuthorised; NeedsSecond if one signature more is needed than can be given.
        """
        judge = self.judge()
        founds = not self._logged and bool(entry.body.get("root"))
        if judge.has_roles or founds:
            entry = self._keys(entry).sign(entry, judge, entry.time)
            if len(entry.sigs) < keys_needed(entry.type):
                self._wait(entry)
        return self._log(entry)

    def approve(self, entry: Entry, keyring: Keyring, now: Instant) -> Entry:
        """Add the missing signature to an act that waits, and log it *now*; once.

        Raises NotAuthorised if *keyring* cannot give it.
        """
        judge = self.judge()
        done = self.approved(entry)
        return done or self._log(keyring.sign(replace(entry, time=now), judge, now))

    def approved(self, entry: Entry) -> Entry | None:
        """Return the same act with the same first signature, if it was logged and counts."""
        act = (entry.type, entry.subject, entry.body)
        same = (it for it in self.entries() if (it.type, it.subject, it.body) == act)
        return next((it for it in same if set(entry.sigs[:1]) & set(it.sigs)), None)

    def _keys(self, entry: Entry) -> Keyring:
        if self.keyring is None or not len(self.keyring):
            raise NotAuthorised(type=entry.type, why="no role key is at hand")
        return self.keyring

    def _wait(self, entry: Entry) -> None:
        if self.waiting is None:
            raise NotAuthorised(type=entry.type, why="too few keys")
        name = self.waiting(entry)
        raise NeedsSecond(type=entry.type, model=entry.subject, name=name)

    def _log(self, entry: Entry) -> Entry:
        trial = self._judge.copy()
        why = trial.judge(entry)
        if why is not None:
            raise NotAuthorised(type=entry.type, why=why)
        at = self.ledger.append(entry)
        if at == [len(self._logged)]:
            written = Entry.decode(entry.encode())
            self._logged.append(written)
            self._entries.append(written)
            self._judge = trial
            return written
        return self.ledger.entries()[at[0]]
