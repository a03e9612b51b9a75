"""Audits of a home: sealed, asked, answered, judged, each filed in its log."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from otium import audit
from otium.archive import Archive
from otium.audit import (
    AnyChallenge,
    BehaviourChallenge,
    Challenge,
    Decision,
    Outcome,
    ReadChallenge,
    SealedBehaviour,
    SealedReads,
    Sealing,
    Seals,
    Standing,
    Tolerance,
)
from otium.errors import AuditFailed, BadInput, Exists, NotAnArchive, NotFound
from otium.ledger import Ledger
from otium.records import Digest, Instant, Part, Progress, Record, later, model_id, silent
from otium.store import LocalStore, Store
from otium.workflow import Home, running, stores

_LONGEST_RESPONSE = 64 << 20


class _Terms(NamedTuple):
    """What every challenge says."""

    custodian: str
    made: Instant
    deadline: Instant


class Said(Part):
    """What was written in answer to a challenge."""

    audit: Digest
    bytes: int
    lacking: tuple[str, ...] = ()
    """Packs that the copy does not hold as they were sealed."""
    verified: bool = True
    """Whether the copy's own log was found to have drawn a spot check."""


class Judged(Part):
    """What came of an audit, and of a behaviour how the test went."""

    outcome: Outcome
    decision: Decision | None = None


class Auditing(Part):
    """How a home stands to audits."""

    audits: tuple[Standing, ...]
    sealed: int
    """Packs."""
    unsealed: tuple[str, ...]
    """Packs in the store that no challenge can reach yet."""


def seal_packs(home: Home, *, dry_run: bool = False, progress: Progress = silent) -> Sealing:
    """Log the root of each pack that is not sealed yet, and which models rest on which packs."""
    if dry_run:
        waiting = audit.unsealed(home.archive.store, Seals(home.registry.entries()))
        size = sum(home.archive.store.size(name) for name in waiting)
        return Sealing(packs=tuple(waiting), bytes=size)
    registry = home.registry
    return audit.seal(home.archive, registry.entries, registry.log, progress=progress)


def seal_reads(home: Home, count: int, keep: Path, *, progress: Progress = silent) -> None:
    """Seal *count* full reads, whose nonces and answers only the file *keep* has."""

    def make() -> SealedReads:
        return audit.seal_reads(
            home.archive.store,
            Seals(home.registry.entries()),
            count=count,
            randomness=os.urandom,
            progress=progress,
        )

    _keep(home, keep, make)


def seal_behaviour(
    home: Home,
    model: str,
    keep: Path,
    *,
    prompts: int,
    tolerance: Tolerance | None = None,
    progress: Progress = silent,
) -> None:
    """Put random prompts to a model and seal its answers, which only the file *keep* has."""

    def make() -> SealedBehaviour:
        with running(home, model, progress=progress) as alive:
            return audit.seal_behaviour(
                alive,
                prompts=prompts,
                tolerance=tolerance,
                randomness=os.urandom,
                now=home.registry.now(),
            )

    _keep(home, keep, make)


def _keep(home: Home, path: Path, make: Callable[[], SealedReads | SealedBehaviour]) -> None:
    """Write what *make* returns into a private file, then let the log commit to it.

    A file to which the log does not commit yet was left by a call that died in between: it is
    used as it is. Raises Exists for any other.
    """
    if not path.exists():
        _write_private(path, make())
    kept = _read_private(path)
    if audit.is_committed(kept, home.archive.id, home.registry.entries()):
        raise Exists(name=path)
    audit.commit_to(kept, home.archive.id, home.registry.log)


def ask(
    home: Home,
    out: Path,
    *,
    custodian: str,
    days: float,
    samples: int,
    models: Sequence[str] = (),
    beacon: str = "",
    sealed: Path | None = None,
    logged: bool = True,
) -> AnyChallenge:
    """Write a challenge into *out*, then log that it was put; return it.

    It is a spot check, or the next out of a *sealed* file.
    Raises BadInput if there is nothing to ask for, or a sealed one would not be logged: the log
    is what keeps it from being used twice.
    """
    if sealed and not logged:
        raise BadInput(what=str(sealed), why="its use must be logged, so that it is used once")
    made = home.registry.now()
    terms = _Terms(custodian, made, later(made, days=days))
    if sealed:
        asked = _from_sealed(home, sealed, terms)
    else:
        asked = _draw(home, terms, samples, models, beacon or os.urandom(32).hex())
    out.write_bytes(asked.encode())
    if logged:
        audit.announce(asked, home.archive.id, home.registry.log)
    return asked


def _draw(
    home: Home, terms: _Terms, samples: int, models: Sequence[str], beacon: str
) -> AnyChallenge:
    """Draw by the newest checkpoint that witnesses saw or, without any, by the newest."""
    ledger = home.registry.ledger
    seen = ledger.witnessed()
    point = seen[-1] if seen else ledger.checkpoint()
    return audit.challenge(
        _seals(home, point.text),
        point,
        beacon=beacon,
        samples=samples,
        models=[model_id(one) for one in models],
        **terms._asdict(),
    )


def _from_sealed(home: Home, sealed: Path, terms: _Terms) -> AnyChallenge:
    entries, kept = home.registry.entries(), _read_private(sealed)
    if not audit.is_committed(kept, home.archive.id, entries):
        raise BadInput(what=str(sealed), why="the log does not commit to it: seal again")
    used = audit.used(entries)
    if isinstance(kept, SealedReads):
        return audit.reads_challenge(kept, used, **terms._asdict())
    return audit.behaviour_challenge(kept, used, **terms._asdict())


def answer(
    asked: Challenge | ReadChallenge,
    out: Path,
    *,
    copy: str,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Said:
    """Write the response to *asked* into *out*, from the copy of the packs at *copy*.

    Raises AuditFailed if the copy's log shows that it did not draw the challenge.
    """
    store = stores([copy])[copy]
    if isinstance(asked, ReadChallenge):
        read = audit.respond_to_read(asked, store, progress=progress)
        answers = zip(asked.packs, read.answers, strict=True)
        lacking = tuple(one.pack for one, given in answers if not given)
        return Said(audit=read.audit, bytes=out.write_bytes(read.encode()), lacking=lacking)
    drawn = _is_drawn(store, asked)
    kept = LocalStore(cache) if cache else None
    with out.open("wb") as file:
        done = audit.respond(asked, store, file, cache=kept, progress=progress)
    return Said(audit=done.audit, bytes=done.bytes, lacking=done.lacking, verified=drawn)


def answer_by_model(
    home: Home, asked: BehaviourChallenge, out: Path, *, progress: Progress = silent
) -> Said:
    """Write into *out* how the model that *asked* names answers its prompts now."""
    with running(home, asked.model, progress=progress) as alive:
        given = audit.respond_with_model(asked, alive, now=home.registry.now())
    return Said(audit=given.audit, bytes=out.write_bytes(given.encode()))


def _is_drawn(copy: Store, asked: Challenge) -> bool:
    """Return whether the copy has a log; raise AuditFailed if it did not draw the challenge.

    So nobody takes leaves of their choice out of a copy with a challenge that they made up.
    """
    try:
        archive = Archive.open(copy)
        ledger = Ledger.open(copy, vkeys=archive.info.keys)
    except (NotAnArchive, NotFound):
        return False
    audit.check_challenge(asked, audit.seals_under(ledger, archive.info.keys, asked.checkpoint))
    return True


def judge(
    home: Home,
    asked: AnyChallenge,
    response: Path | None,
    *,
    sealed: Path | None = None,
    logged: bool = True,
) -> Judged:
    """Say what a response shows and log a verdict for each model; without one, that none came.

    What comes after the deadline counts as no answer. Raises AuditFailed if the file is no
    response to this challenge, Exists if the audit has its verdicts.
    """
    entries, decision = home.registry.entries(), None
    late = home.registry.now() > asked.deadline
    if response is None and not late:
        raise BadInput(what="the audit", why=f"its custodian has until {asked.deadline}")
    if response is None or late:
        seals = _seals(home, asked.checkpoint) if isinstance(asked, Challenge) else Seals(entries)
        outcome = audit.unanswered(asked, seals)
    elif isinstance(asked, Challenge):
        with response.open("rb") as file:
            outcome = audit.judge(asked, file, _seals(home, asked.checkpoint))
    else:
        outcome, decision = _judge_sealed(home, asked, response, sealed)
    if logged:
        audit.conclude(outcome, entries, home.registry.log)
    return Judged(outcome=outcome, decision=decision)


def _judge_sealed(
    home: Home,
    asked: ReadChallenge | BehaviourChallenge,
    response: Path,
    sealed: Path | None,
) -> tuple[Outcome, Decision | None]:
    if sealed is None:
        raise BadInput(what="the verdict", why="name the sealed file with --from")
    kept, entries = _read_private(sealed), home.registry.entries()
    if response.stat().st_size > _LONGEST_RESPONSE:
        raise AuditFailed(audit=asked.digest(), why="the response is longer than it can be")
    data = response.read_bytes()
    if isinstance(asked, ReadChallenge) and isinstance(kept, SealedReads):
        return audit.judge_read(asked, data, kept, entries, Seals(entries)), None
    if isinstance(asked, BehaviourChallenge) and isinstance(kept, SealedBehaviour):
        return audit.judge_behaviour(asked, data, kept, entries)
    raise BadInput(what=str(sealed), why="it was sealed for another kind of challenge")


def audits(home: Home) -> Auditing:
    """Return every audit that was asked, and which packs cannot be asked for yet."""
    entries = home.registry.entries()
    seals = Seals(entries)
    return Auditing(
        audits=tuple(audit.standings(entries, home.registry.clock.now())),
        sealed=len(seals.packs),
        unsealed=tuple(audit.unsealed(home.archive.store, seals)),
    )


def _seals(home: Home, note: str) -> Seals:
    return audit.seals_under(home.registry.ledger, home.archive.info.keys, note)


def _write_private(path: Path, sealed: Record) -> None:
    """Write a file that only its owner can read, whole and durably."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sealed.encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()


def _read_private(path: Path) -> SealedReads | SealedBehaviour:
    if path.stat().st_mode & 0o077:
        raise BadInput(what=str(path), why="others can read it: chmod 600 it")
    return audit.read_sealed(path.read_bytes())
