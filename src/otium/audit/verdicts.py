"""What of audits stands in the log: that one was asked, what came of it, what was left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from otium.audit.behaviour import behaviour_body
from otium.audit.reads import check_read_shape, reads_body
from otium.audit.records import (
    AnyChallenge,
    BehaviourChallenge,
    Challenge,
    Kind,
    Log,
    ModelVerdict,
    Outcome,
    ReadChallenge,
    SealedBehaviour,
    SealedReads,
)
from otium.audit.seals import Seals
from otium.audit.spot import check_shape
from otium.errors import BadInput, BadRecord, Exists
from otium.ledger import Entry
from otium.records import Digest, Instant, ModelId, Part, instant

State = Literal["open", "late", "passed", "failed", "unanswered", "undecided"]
_LARGEST = 64 << 20
"""Bytes of a challenge."""
_WORST: tuple[State, ...] = ("failed", "unanswered", "undecided", "passed")


class _AskedBody(Part):
    audit: Digest
    kind: Kind
    custodian: str
    deadline: Instant
    samples: int = 0
    size: int = 0
    commitment: str = ""


class Standing(Part):
    """An audit as the log shows it."""

    audit: Digest
    kind: Kind
    custodian: str
    asked: Instant
    deadline: Instant
    state: State
    """The worst of its verdicts; ``late`` if there is none and the deadline has passed."""
    models: tuple[ModelId, ...] = ()


def read_challenge(data: bytes) -> AnyChallenge:
    """Return a challenge of any kind that hangs together; raise BadRecord or BadInput."""
    if len(data) > _LARGEST:
        raise BadInput(what="the challenge", why=f"it has more than {_LARGEST} bytes")
    try:
        asked: AnyChallenge = msgspec.json.decode(data, type=AnyChallenge)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord(what="the challenge", why=str(error)) from error
    if isinstance(asked, Challenge):
        check_shape(asked)
    elif isinstance(asked, ReadChallenge):
        check_read_shape(asked)
    instant(asked.deadline)
    return asked


def read_sealed(data: bytes) -> SealedReads | SealedBehaviour:
    """Return what an auditor's private file holds; raise BadRecord."""
    try:
        sealed: SealedReads | SealedBehaviour = msgspec.json.decode(
            data, type=SealedReads | SealedBehaviour
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRecord(what="the sealed file", why=str(error)) from error
    return sealed


def commit_to(sealed: SealedReads | SealedBehaviour, archive: str, log: Log) -> None:
    """Log what commits to *sealed*, which lies in the archive of this id."""
    log(*_commitment(sealed, archive))


def is_committed(
    sealed: SealedReads | SealedBehaviour, archive: str, entries: Iterable[Entry]
) -> bool:
    """Return whether the log commits to *sealed*."""
    wanted = _commitment(sealed, archive)
    return any((one.type, one.subject, one.body) == wanted for one in entries)


def _commitment(
    sealed: SealedReads | SealedBehaviour, archive: str
) -> tuple[str, str, dict[str, object]]:
    if isinstance(sealed, SealedReads):
        return "audit.sealed", archive, reads_body(sealed)
    return "behaviour.sealed", sealed.model, behaviour_body(sealed)


def announce(asked: AnyChallenge, subject: str, log: Log) -> None:
    """Log that *asked* was put to its custodian, so that silence shows.

    *subject* is the archive's id.
    """
    body: dict[str, object] = {
        "audit": asked.digest(),
        "kind": _kind(asked),
        "custodian": asked.custodian,
        "deadline": asked.deadline,
    }
    if isinstance(asked, Challenge):
        body |= {"samples": asked.samples, "size": int(asked.checkpoint.split("\n", 2)[1])}
    else:
        body["commitment"] = asked.commitment
    log("audit.challenged", subject, body)


def conclude(outcome: Outcome, entries: Iterable[Entry], log: Log) -> None:
    """Log the verdict on each model, once; an interrupted call is finished by the same again.

    Raises Exists if the audit has its verdicts already, or has some on another response;
    BadInput if the log does not say that it was asked: then it could be one of many tries.
    """
    entries = list(entries)
    if all(body.audit != outcome.audit for _, body in _asked(entries)):
        raise BadInput(what=f"the audit {outcome.audit}", why="the log does not say it was asked")
    there = {
        ModelId(entry.subject): entry.body.get("response")
        for entry in entries
        if entry.type == "audit.verdict" and entry.body.get("audit") == outcome.audit
    }
    waiting = [one for one in outcome.models if one.model not in there]
    if there and (not waiting or set(there.values()) != {outcome.response}):
        raise Exists(name=f"a verdict on the audit {outcome.audit}")
    for one in waiting:
        log("audit.verdict", one.model, _body(outcome, one))


def _body(outcome: Outcome, one: ModelVerdict) -> dict[str, object]:
    body: dict[str, object] = {
        "audit": outcome.audit,
        "kind": outcome.kind,
        "custodian": outcome.custodian,
        "verdict": one.verdict,
        "ok": one.verdict == "passed",
        "samples": one.samples,
        "caught_at_1_percent": one.caught_at_1_percent,
    }
    return body if outcome.response is None else {**body, "response": outcome.response}


def unanswered(asked: AnyChallenge, seals: Seals) -> Outcome:
    """Return the outcome of a challenge to which no response came in time."""
    models = _models(asked, seals)
    return Outcome(
        audit=asked.digest(),
        kind=_kind(asked),
        custodian=asked.custodian,
        deadline=asked.deadline,
        models=tuple(
            ModelVerdict(model=model, verdict="unanswered", samples=0, caught_at_1_percent=0.0)
            for model in models
        ),
    )


def _models(asked: AnyChallenge, seals: Seals) -> list[ModelId]:
    if isinstance(asked, BehaviourChallenge):
        return [asked.model]
    if isinstance(asked, Challenge) and asked.models:
        return list(asked.models)
    return sorted(seals.models)


def used(entries: Iterable[Entry]) -> set[str]:
    """Return the commitments whose challenges were put to anyone before."""
    return {body.commitment for _, body in _asked(entries) if body.commitment}


def standings(entries: Iterable[Entry], now: Instant) -> list[Standing]:
    """Return every audit that was asked, in order, with what came of it."""
    seen = list(entries)
    verdicts: dict[object, dict[ModelId, object]] = {}
    for entry in seen:
        if entry.type == "audit.verdict":
            found = verdicts.setdefault(entry.body.get("audit"), {})
            found.setdefault(ModelId(entry.subject), entry.body.get("verdict"))
    return [
        Standing(
            audit=body.audit,
            kind=body.kind,
            custodian=body.custodian,
            asked=entry.time,
            deadline=body.deadline,
            state=_state(verdicts.get(body.audit, {}).values(), late=body.deadline < now),
            models=tuple(verdicts.get(body.audit, {})),
        )
        for entry, body in _asked(seen)
    ]


def _state(verdicts: Iterable[object], *, late: bool) -> State:
    found = set(verdicts)
    for state in _WORST:
        if state in found:
            return state
    return "late" if late else "open"


def _asked(entries: Iterable[Entry]) -> Iterator[tuple[Entry, _AskedBody]]:
    for entry in entries:
        if entry.type == "audit.challenged":
            try:
                body = _AskedBody.convert(entry.body)
                instant(body.deadline)
            except BadInput:
                continue
            yield entry, body


def _kind(asked: AnyChallenge) -> Kind:
    if isinstance(asked, Challenge):
        return "spot"
    return "read" if isinstance(asked, ReadChallenge) else "behaviour"
