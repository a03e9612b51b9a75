"""The registry: the write desk through which every record and every claim goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from otium.archive import Archive, CheckResult, Manifest
from otium.authority import Journal, Keyring, actor_for
from otium.commitments import ADOPTED, Policy, Scope, apart, policy_in_force
from otium.errors import BadInput, DamagedObject, Exists, UnknownModel, UnknownRecord
from otium.ledger import Entry, Ledger
from otium.lifecycle.life import carry_on, odd_now
from otium.lifecycle.records import Availability, ModelLife, Surface
from otium.records import (
    Clock,
    Digest,
    Instant,
    ModelId,
    Progress,
    Record,
    canonical,
    digest,
    instant,
    model_id,
    silent,
)

R = TypeVar("R", bound=Record)

_SKEW = 3600
"""Seconds by which a clock may run behind the last entry before it is refused."""
_LARGEST = 65_535
"""Bytes that one entry of the ledger can have."""
_SIGNATURES = 600
"""Bytes that its signatures may take of them."""


class Registry:
    """The models of one archive and its ledger, and the one way to write about them.

    Every write is: record in the archive, then entry in the ledger. What was done is found
    again by content, so any step can be repeated after a crash: nothing is lost or doubled.
    One writer at a time (``otium.store.hold``).
    """

    def __init__(
        self,
        archive: Archive,
        ledger: Ledger,
        clock: Clock,
        *,
        keyring: Keyring | None = None,
        waiting: Callable[[Entry], str] | None = None,
    ) -> None:
        """Write into *archive* and *ledger*.

        Where the log has roles, *keyring* signs each entry, and *waiting* keeps an act that
        lacks a second signature and returns the name by which it can be approved.
        """
        self.archive = archive
        self.ledger = ledger
        self.clock = clock
        self.journal = Journal(ledger, keyring, waiting)
        self._lived = 0
        self._lives: dict[ModelId, ModelLife] = {}

    def entries(self) -> list[Entry]:
        """Return every entry that counts, in log order."""
        return self.journal.entries()

    def models(self) -> list[ModelLife]:
        """Return every registered model, in the order of registration."""
        self._read()
        return list(self._lives.values())

    def model(self, model: str) -> ModelLife:
        """Return one model, or raise UnknownModel."""
        self._read()
        try:
            return self._lives[ModelId(model)]
        except KeyError as error:
            raise UnknownModel(model=model) from error

    def find(self, type: str, model: str | None = None) -> list[Entry]:  # noqa: A002
        """Return the entries of one type, about one model or about all."""
        return [
            entry
            for entry in self.journal.entries()
            if entry.type == type and model in {None, entry.subject}
        ]

    def policy(self) -> Policy | None:
        """Return the policy in force, if one was adopted.

        Raises BadInput if none that was adopted can be read: what is promised is not known then.
        """
        policy = policy_in_force(self.entries())
        if policy is None and self.find(ADOPTED):
            why = "it is of another version: adopt one anew, otium commitments adopt FILE"
            raise BadInput(what="the policy that was adopted", why=why)
        return policy

    def now(self) -> Instant:
        """Return the time for the next entry: the clock's, and never before the last entry.

        Raises BadInput if the clock is more than an hour behind the last entry, unless the
        archive was founded with a simulated clock.
        """
        now = self.clock.now()
        logged = self.journal.logged()
        last = logged[-1].time if logged else now
        if apart(now, last) > _SKEW and not self._simulated():
            why = f"it says {now}, but the ledger's last entry was made at {last}"
            raise BadInput(what="the clock", why=why)
        return max(now, last)

    def log(
        self,
        type: str,  # noqa: A002
        subject: str,
        body: Mapping[str, object] | None = None,
        refs: Sequence[Digest] = (),
        *,
        at: Instant | None = None,
    ) -> Entry:
        """Append one entry, made *at* the instant of the decision, by default now."""
        return self._append(self._entry(type, subject, body or {}, refs, at))

    def file(  # noqa: PLR0917 - the path of a filing, in the order it takes
        self,
        type: str,  # noqa: A002
        model: str,
        path: str,
        kind: type[R],
        make: Callable[[], R],
        body: Mapping[str, object] | Callable[[R], Mapping[str, object]] | None = None,
        *,
        at: Instant | None = None,
    ) -> R:
        """Keep the record that *make* returns at *path* and log it as *type*, exactly once.

        If the entry is there, the archived record is returned and *make* is not called. If
        only the record is there, it is logged. *body* is added to ``{"path": path}``; as a
        function it is given the record, so that an entry repeated after a crash says what
        the archived record says. Raises UnknownModel; NotAuthorised, before *make* is called;
        DamagedObject if the archived record is not the one that was logged.
        """
        self.model(model)
        if self._filing(type, model, path) is None:
            self.journal.check(self._entry(type, model, {"path": path}, (), at))
            self.archive.settle(
                ModelId(model)
            )  # or a record half written is made anew, and clashes
            there = self._kept(model, path)
            record = make() if there is None else self.filed(model, path, kind)
            more = body(record) if callable(body) else body
            refs = [there or record.digest()]
            entry = self._entry(type, model, {"path": path, **(more or {})}, refs, at)
            self._put(record, path, entry)  # one that is there is settled by this
            self._append(entry)
        return self.filed(model, path, kind)

    def filed(self, model: str, path: str, kind: type[R]) -> R:
        """Read one record back; raise UnknownRecord, or DamagedObject if it is not as logged."""
        try:
            data = self.archive.record(ModelId(model), path)
        except UnknownModel as error:
            raise UnknownRecord(model=self.model(model).model, path=path) from error
        found = digest(data)
        logged = {ref for entry in self._filings(model, path) for ref in entry.refs}
        if logged and found not in logged:
            name = f"{path} of {model}"
            raise DamagedObject(name=name, found=found, expected=" or ".join(sorted(logged)))
        return kind.decode(data)

    def register(
        self,
        model: str,
        *,
        title: str,
        released: str,
        scope: Scope,
        surfaces: Sequence[Surface],
        parent: str | None = None,
        availability: Availability = "archived",
        family: str | None = None,
        not_before: Mapping[Surface, Instant] | None = None,
        silent_updates: bool | None = None,
        snapshot_of: str | None = None,
    ) -> ModelLife:
        """Enter a model; the same facts again change nothing, other facts raise Exists.

        *not_before* has the floor of each surface that has one: it does not end sooner.
        Raises BadInput, BadModelId, BadInstant, UnknownModel for its parent.
        """
        floors = {one: instant(at) for one, at in (not_before or {}).items()}
        facts: dict[str, object] = {
            "title": title,
            "released": instant(released),
            "scope": scope,
            "surfaces": list(surfaces),
            "parent": None if parent is None else self.model(parent).model,
            "availability": availability,
        }
        more = {"family": family, "snapshot_of": snapshot_of, "silent_updates": silent_updates}
        facts |= {name: it for name, it in more.items() if it is not None}
        facts |= {"not_before": floors} if floors else {}
        there = self.find("model.registered", model_id(model))
        if there and canonical(there[0].body) != canonical(facts):
            raise Exists(name=f"model {model}, with other facts,")
        if not there:
            self._check("model.registered", model, facts)
            self.log("model.registered", model, facts)
        return self.model(model)

    def move(self, type: str, model: str, body: Mapping[str, object]) -> ModelLife:  # noqa: A002
        """Log what moves a model's life, if it can as the model stands; else raise BadInput."""
        self.model(model)
        self._check(type, model, body)
        self.log(type, model, body)
        return self.model(model)

    def _check(self, type: str, model: str, body: Mapping[str, object]) -> None:  # noqa: A002
        """Raise BadInput if an entry would be passed over as odd."""
        self._read()
        for odd in odd_now(self._lives, self._entry(type, model, body, (), None)):
            raise BadInput(what=f"{type} for {model}", why=odd.why)

    def deposit(
        self,
        model: str,
        files: Path,
        *,
        runtime: Mapping[str, str] | None = None,
        sampling: Mapping[str, float] | None = None,
        parents: Sequence[ModelId] = (),
        progress: Progress = silent,
    ) -> Manifest:
        """Keep the model's weights and log it; the same files again change nothing."""
        kept = self.keep(
            model, files, runtime=runtime, sampling=sampling, parents=parents, progress=progress
        )
        self.deposited(kept)
        return kept

    def keep(
        self,
        model: str,
        files: Path,
        *,
        runtime: Mapping[str, str] | None = None,
        sampling: Mapping[str, float] | None = None,
        parents: Sequence[ModelId] = (),
        progress: Progress = silent,
    ) -> Manifest:
        """Keep the model's weights and log nothing: for a worker, who may not write the log."""
        life = self.model(model)
        return self.archive.add(
            life.model,
            files,
            deposited=self.now(),
            runtime=runtime or {},
            sampling=sampling or {},
            parents=tuple(parents) or ((life.parent,) if life.parent else ()),
            progress=progress,
        )

    def deposited(self, kept: Manifest) -> None:
        """Log that a model's weights are kept, if that is not logged."""
        if self.model(kept.model).weights != kept.weights:
            total = sum(file.size for file in kept.files)
            body = {"weights": kept.weights, "bytes": total, "files": len(kept.files)}
            self.log("model.deposited", kept.model, body, [kept.digest()])

    def manifest(self, model: str) -> Manifest:
        """Return what was deposited; raise DamagedObject if it is not as logged.

        So who believes the log need not believe the store: the manifest has the digests of all
        files. Raises UnknownModel, UnknownRecord if nothing was deposited.
        """
        life = self.model(model)
        if life.weights is None:
            raise UnknownRecord(model=life.model, path="manifest.json")
        found, logged = self.archive.manifest(life.model), set[Digest]()
        for entry in self.find("model.deposited", life.model):
            if entry.body.get("weights") == life.weights:
                logged.update(entry.refs)
        if found.weights != life.weights or (logged and found.digest() not in logged):
            expected = " or ".join(sorted(logged)) or f"a manifest of {life.weights}"
            name = f"manifest.json of {life.model}"
            raise DamagedObject(name=name, found=found.digest(), expected=expected)
        return found

    def check(self, model: str | None = None, progress: Progress = silent) -> CheckResult:
        """Read everything that is kept (for one model) and log what was found for each model.

        Damage is in the result and in the entries; an entry with ``ok`` false keeps no promise.
        """
        wanted = [self.model(model)] if model is not None else self.models()
        for life in wanted:
            if life.weights is not None:
                self.archive.settle(life.model)
        only = ModelId(model) if model is not None else None
        result = self.archive.check(only, now=self.now(), progress=progress)
        for life in wanted:
            if life.weights is not None:
                harm = [it.name for it in result.damage if not it.models or life.model in it.models]
                body = {"ok": not harm, "objects": result.objects, "bytes": result.bytes}
                self.log("model.checked", life.model, {**body, "damage": harm[:20]})
        return result

    def restored(self, model: str, weights: Digest, seconds: float) -> Entry:
        """Log a restore drill: which weights came back, and after how many seconds."""
        body = {"weights": weights, "seconds": seconds, "ok": weights == self.model(model).weights}
        return self.log("model.restored", model, body)

    def approve(self, waiting: Entry, keyring: Keyring) -> Entry:
        """Give an act its second signature and log it now; the same again changes nothing.

        Raises NotAuthorised, or BadInput if the act is no longer possible.
        """
        done = self.journal.approved(waiting)
        if done is not None:
            return done
        self._read()
        now = self.now()
        for odd in odd_now(self._lives, replace(waiting, time=now)):
            raise BadInput(what=f"{waiting.type} for {waiting.subject}", why=odd.why)
        written = self.journal.approve(waiting, keyring, now)
        self._read()
        return written

    def _read(self) -> None:
        """Bring the lives up to date."""
        count = self.journal.read()
        if count != self._lived:
            entries = self.journal.entries()
            if count < self._lived:
                self._lives, self._lived = {}, 0
            carry_on(self._lives, entries[self._lived :], self.archive.id)
            self._lived = count

    def _append(self, entry: Entry) -> Entry:
        written = self.journal.append(entry)
        self._read()
        return written

    def _simulated(self) -> bool:
        return any(entry.body.get("clock") == "simulated" for entry in self.find("archive.created"))

    def _filings(self, model: str, path: str) -> list[Entry]:
        return [
            entry
            for entry in self.journal.entries()
            if entry.subject == model and entry.body.get("path") == path and entry.refs
        ]

    def _filing(self, type: str, model: str, path: str) -> Entry | None:  # noqa: A002
        return next((entry for entry in self._filings(model, path) if entry.type == type), None)

    def _kept(self, model: str, path: str) -> Digest | None:
        """Return the digest of the archived record, if there is one."""
        try:
            return self.archive.records(ModelId(model)).get(path)
        except UnknownModel:
            return None  # the archive holds nothing for this model yet

    def _put(self, record: Record, path: str, entry: Entry) -> None:
        self.archive.put_record(
            ModelId(entry.subject), path, record.encode(), now=entry.time, message=entry.type
        )

    def _entry(
        self,
        type: str,  # noqa: A002
        subject: str,
        body: Mapping[str, object],
        refs: Sequence[Digest],
        at: Instant | None,
    ) -> Entry:
        """Build an entry that the ledger will take, so that no record is kept in vain."""
        entry = Entry(
            type=type,
            time=at or self.now(),
            actor=actor_for(type),
            subject=subject,
            body=dict(body),
            refs=tuple(refs),
        )
        size = len(entry.encode())
        if size > _LARGEST - _SIGNATURES:
            why = f"{size} bytes, at most {_LARGEST - _SIGNATURES} fit"
            raise BadInput(what=f"the entry {type}", why=why)
        return entry
