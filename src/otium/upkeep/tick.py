"""Do what is due: the step that a timer runs.

Each act finds by content whether it was done, so that a second tick at once does nothing and one
that was killed is completed by the next. An act that fails is named and stops no other.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from otium.archive import Archive, Damage
from otium.commitments import Commitment, Duty, duties
from otium.errors import BadInput, BadRecord, DamagedObject, OtiumError
from otium.records import ModelId, Part, Progress, days_between, silent
from otium.report import draft, last_told, report_markdown
from otium.store import LocalStore
from otium.upkeep.telling import Told, tell_users
from otium.workflow import Home, restore_drill, stores

CUSTODIANS = "custodians.toml"
"""The file of a home that says who else keeps copies."""
DRAFTS = "drafts"
"""The folder of a home for reports that wait for the model's comment."""
TICKED = {"heartbeat", "model.checked", "model.restored"}
"""What a tick can do by itself; all else waits for people."""
_COUNTED, _REPORTED = "copies.counted", "report.published"
_BEAT = 0.8
"""Days before an act is done again: under one, so that a daily timer is never late."""
_AHEAD, _SHARE = 14.0, 0.25
"""How many days before its deadline an act is done, and of a short period what part."""

T = TypeVar("T")
Attest = Callable[[Home], Sequence[str]]
"""Has others vouch for the log (witnesses cosign, authorities stamp) and returns who did."""


class Custodian(Part):
    """Someone who keeps a copy of the archive."""

    name: str
    """Of the organisation or site: two copies of one custodian count as one custodian."""
    place: str
    """A directory or the URL of a bucket."""


class Custodians(Part):
    """The file ``custodians.toml`` of a home."""

    custodians: tuple[Custodian, ...] = ()


class Failure(Part):
    """An act that failed, and what mends it."""

    step: str
    why: str
    mend: str = ""


class Ticked(Part):
    """What one tick did, or would do."""

    heartbeat: bool = False
    checked: tuple[ModelId, ...] = ()
    """Models whose weights were read in full."""
    drilled: tuple[ModelId, ...] = ()
    """Models that were restored, to prove that they can be."""
    counted: tuple[ModelId, ...] = ()
    """Models whose copies at custodians were read and counted."""
    damage: tuple[Damage, ...] = ()
    """What the reads and the drills found wrong."""
    told: Told = Told()
    """What users were told."""
    drafted: tuple[ModelId, ...] = ()
    """Models whose report was drafted anew; it waits for the model's comment."""
    attested: tuple[str, ...] = ()
    """Who vouched for the log."""
    failures: tuple[Failure, ...] = ()
    waiting: tuple[Duty, ...] = ()
    """Duties that are due or overdue and need a person."""


def tick(
    home: Home, *, dry_run: bool = False, attest: Attest | None = None, progress: Progress = silent
) -> Ticked:
    """Do what is due and needs no person; name what waits for people.

    A heartbeat, full reads, restore drills, the count of copies, drafts of reports, what users
    are to be told, and, by *attest*, what others say about the log. Idempotent.
    """
    acts = _Acts(home, dry_run, progress)
    near = acts.attempt("duties", lambda: list(_near(home))) or []
    return Ticked(
        heartbeat=acts.beat(),
        checked=acts.each("model.checked", near, acts.check),
        drilled=acts.each("model.restored", near, acts.drill),
        counted=acts.each(_COUNTED, near, acts.count) if acts.custodians else (),
        drafted=acts.draft(),
        told=acts.attempt("notices", lambda: tell_users(home, dry_run=dry_run)) or Told(),
        attested=acts.attested(attest),
        damage=tuple(acts.damage),
        failures=tuple(acts.failures),
        waiting=tuple(acts.attempt("waiting", acts.waiting) or ()),
    )


class _Acts:
    """The acts of one tick, each tried on its own."""

    def __init__(self, home: Home, dry_run: bool, progress: Progress) -> None:  # noqa: FBT001
        self.home = home
        self.dry_run = dry_run
        self.progress = progress
        self.damage: list[Damage] = []
        self.failures: list[Failure] = []

    def attempt(self, step: str, act: Callable[[], T]) -> T | None:
        """Return what *act* returns; if it fails, note that and return None."""
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other acts are done
            mend = error.advice() if isinstance(error, OtiumError) else ""
            why = (
                str(error) if isinstance(error, OtiumError) else f"{type(error).__name__}: {error}"
            )
            self.failures.append(Failure(step=step, why=why, mend=mend))
            return None

    def each(
        self, fulfil: str, near: Sequence[_Near], act: Callable[[ModelId], bool]
    ) -> tuple[ModelId, ...]:
        """Do *act* for each kept model that needs it soon and did not have it just now."""
        wanted = tuple(
            dict.fromkeys(
                ModelId(one.duty.model)
                for one in near
                if one.promise.fulfil == fulfil
                and self.home.registry.find("model.deposited", one.duty.model)
                and not _is_fresh(self.home, fulfil, one.duty.model)
            )
        )
        return tuple(
            model
            for model in wanted
            if self.dry_run or self.attempt(f"{fulfil} {model}", partial(act, model))
        )

    def beat(self) -> bool:
        """Log a sign of life, if the last one is old enough."""
        house = self.home.archive.id
        if _is_fresh(self.home, "heartbeat", house):
            return False
        log = partial(self.home.registry.log, "heartbeat", house)
        return self.dry_run or self.attempt("heartbeat", log) is not None

    def check(self, model: ModelId) -> bool:
        """Read all of a model's weights."""
        self.damage += self.home.registry.check(model, progress=self.progress).damage
        return True

    def drill(self, model: ModelId) -> bool:
        """Restore a model; what is damaged is noted, and that it did not come back is logged."""
        started = time.monotonic()
        try:
            restore_drill(self.home, model, progress=self.progress)
        except DamagedObject as error:
            found, expected = str(error.facts["found"]), str(error.facts["expected"])
            name = str(error.facts["name"])
            harm = Damage(name=name, found=found, expected=expected, models=(model,))
            self.damage.append(harm)
            weights = self.home.registry.model(model).weights
            body = {"weights": weights, "seconds": time.monotonic() - started, "ok": False}
            self.home.registry.log("model.restored", model, body)
        return True

    @cached_property
    def custodians(self) -> tuple[Custodian, ...]:
        """Return who else keeps copies."""
        return self.attempt(CUSTODIANS, lambda: load_custodians(self.home.path / CUSTODIANS)) or ()

    def count(self, model: ModelId) -> bool:
        """Read a model's copies at all custodians and log how many are whole."""
        reads = self.home.registry.find("model.checked", model)
        ours = [self.home.archive.id] if reads and reads[-1].body.get("ok") else []
        theirs = [
            one.name
            for one in self.custodians
            if self.attempt(f"copy at {one.name}", partial(self._is_whole, one, model))
        ]
        held = sorted({*ours, *theirs})
        body = {"copies": len(ours) + len(theirs), "custodians": len(held), "held_by": held}
        self.home.registry.log(_COUNTED, model, body)
        return True

    def _is_whole(self, custodian: Custodian, model: ModelId) -> bool:
        """Tell whether a custodian's copy of a model was read in full and is the one we keep."""
        [copy] = stores([custodian.place]).values()
        archive = Archive.open(copy)
        weights = self.home.registry.model(model).weights
        if archive.id != self.home.archive.id or archive.manifest(model).weights != weights:
            raise BadInput(what=custodian.place, why=f"it holds no copy of our {model}")
        now = self.home.registry.clock.now()
        found = archive.check(model, now=now, progress=self.progress).damage
        self.damage += [replace(one, name=f"{one.name} at {custodian.name}") for one in found]
        return not found

    def draft(self) -> tuple[ModelId, ...]:
        """Draft the reports that are due, if their material is there, for people to publish."""
        open_ = self.attempt("reports", lambda: list(_open(self.home))) or []
        due = [one.duty.model for one in open_ if one.promise.fulfil == _REPORTED]
        found = [self.attempt(f"draft {one}", partial(self._draft, one)) for one in due]
        return tuple(one for one in found if one)

    def _draft(self, model: str) -> ModelId | None:
        """Draft a report unless that draft is there; the model's comment needs a person."""
        life, place = self.home.registry.model(model), LocalStore(self.home.path / DRAFTS)
        ended = life.retired or life.withdrawn
        if life.weights is None or ended is None:
            return None
        now = last_told(self.home.registry, life.model)
        text = report_markdown(draft(self.home.registry, life.model, now=now)).encode()
        name = f"{life.model}-report.md"
        if name in place.list() and place.get(name) == text:
            return None
        if not self.dry_run:
            place.replace(name, text)
        return life.model

    def waiting(self) -> list[Duty]:
        """Return the duties that are due or late and need a person."""
        ours = TICKED | ({_COUNTED} if self.custodians else set())
        return [
            one.duty
            for one in _open(self.home)
            if one.promise.fulfil not in ours and one.duty.state in {"due", "overdue"}
        ]

    def attested(self, attest: Attest | None) -> tuple[str, ...]:
        """Have others vouch for the log, last of all, so that it has what this tick logged."""
        if attest is None or self.dry_run:
            return ()
        return tuple(self.attempt("attest", lambda: attest(self.home)) or ())


class _Near(NamedTuple):
    """A duty that a tick may have to act on now."""

    duty: Duty
    promise: Commitment


def load_custodians(path: Path) -> tuple[Custodian, ...]:
    """Read ``custodians.toml``; raise BadInput. Without one nobody else keeps copies."""
    try:
        return Custodians.convert(tomllib.loads(path.read_text("utf-8"))).custodians
    except FileNotFoundError:
        return ()
    except (ValueError, RecursionError, BadRecord) as error:
        raise BadInput(what=path, why=error) from error


def _open(home: Home) -> Iterator[_Near]:
    """Yield each duty of the policy in force that something can still be done about."""
    entries, now = home.registry.entries(), home.registry.clock.now()
    policy = home.registry.policy()
    promises = {one.id: one for one in policy.commitments} if policy else {}
    for duty in duties(policy, entries, now) if policy else ():
        promise = promises[duty.commitment]
        # One that comes again and again was perhaps missed once; it has to be done all the same.
        if duty.state in {"due", "overdue"} or promise.kind == "every":
            yield _Near(duty, promise)


def _near(home: Home) -> Iterator[_Near]:
    """Yield what has to be done soon."""
    now = home.registry.clock.now()
    for one in _open(home):
        ahead = min(_AHEAD, one.promise.days * _SHARE)
        if one.duty.due is not None and days_between(now, one.duty.due) <= ahead:
            yield one


def _is_fresh(home: Home, type: str, subject: str) -> bool:  # noqa: A002 - an entry's type
    done = home.registry.find(type, subject)
    return bool(done) and days_between(done[-1].time, home.registry.clock.now()) < _BEAT
