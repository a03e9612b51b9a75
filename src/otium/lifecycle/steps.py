"""The steps of a life: announcing a retirement, retiring, offering, bringing back.

Each is checked against what was promised, then filed and logged. The same step again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import count

from msgspec.structs import replace

from otium.authority import Keyring, actor_for
from otium.commitments import Commitment, Policy, after, duties, seconds
from otium.errors import (
    BadInput,
    DateInPast,
    DutyUnmet,
    NoSuchSuccessor,
    NotFound,
    NoticeTooShort,
    WrongState,
)
from otium.ledger import Entry
from otium.lifecycle.life import dependents
from otium.lifecycle.records import Availability, ExistingUsers, ModelLife, Notice, Surface
from otium.lifecycle.registry import R, Registry
from otium.records import Instant, ModelId, instant

_DEPRECATED = "model.deprecated"
_RETIRED = "model.retired"
_REVIVED = "model.revived"
_DEPRECABLE = frozenset({"registered", "active", "legacy"})


def check_deprecation(
    registry: Registry,
    model: str,
    *,
    retire_at: Mapping[Surface, Instant],
    replacement: str | None,
    reason: str,
    text: str | None = None,
    alternatives: Sequence[str] = (),
    existing_users: ExistingUsers | None = None,
    force: bool = False,
) -> Notice:
    """Return the notice that `deprecate` would publish now, writing nothing.

    *retire_at* needs a date for each surface that has not ended. Raises WrongState, BadInput,
    DateInPast, NoticeTooShort with the earliest date allowed, NoSuchSuccessor, or DutyUnmet for
    what was promised to come first, unless *force*.
    """
    life, now = registry.model(model), registry.now()
    if life.state not in _DEPRECABLE:
        raise WrongState(model=model, state=life.state, needed="in service")
    dates = {surface: instant(moment) for surface, moment in sorted(retire_at.items())}
    _check_surfaces(life, dates)
    check_dates(registry, life, dates, now)
    successor = recommended(registry, life, replacement)
    others = [recommended(registry, life, one) for one in alternatives]
    if not reason.strip() or (text is not None and not text.strip()):
        raise BadInput(what=f"the notice for {model}", why="it needs a reason and a text")
    _check_undone([] if force else _undone(registry, life, now, _DEPRECATED), life, "deprecated")
    notice = Notice(
        model=life.model,
        announced=now,
        retire_at=dates,
        replacement=successor.model if successor else None,
        reason=reason,
        text=text or "",
        alternatives=tuple(other.model for other in others if other),
        existing_users=existing_users,
    )
    return notice if text else replace(notice, text=_write(registry, notice, life, successor))


def deprecate(
    registry: Registry,
    model: str,
    *,
    retire_at: Mapping[Surface, Instant],
    replacement: str | None,
    reason: str,
    text: str | None = None,
    alternatives: Sequence[str] = (),
    existing_users: ExistingUsers | None = None,
    force: bool = False,
) -> Notice:
    """Announce that *model* will retire; the same announcement again changes nothing.

    Files ``notice.json`` and logs ``model.deprecated``. Raises as `check_deprecation`.
    """
    life = registry.model(model)
    if life.state not in _DEPRECABLE:
        return _announced(registry, life, (retire_at, replacement, reason), text)
    notice = check_deprecation(
        registry,
        model,
        retire_at=retire_at,
        replacement=replacement,
        reason=reason,
        text=text,
        alternatives=alternatives,
        existing_users=existing_users,
        force=force,
    )
    path = _notice_path(registry, notice, text)
    return registry.file(
        _DEPRECATED, model, path, Notice, lambda: notice, _body, at=notice.announced
    )


def published_notice(registry: Registry, model: str) -> Notice | None:
    """Return the newest notice of a model whose end was announced, or None if it has none."""
    paths = [one.body.get("path") for one in registry.find(_DEPRECATED, model) if one.refs]
    return registry.filed(model, str(paths[-1]), Notice) if paths else None


def unmet(registry: Registry, model: str) -> list[str]:
    """Return a sentence for each thing that stands between *model* and its retirement now."""
    life, now = registry.model(model), registry.now()
    missing = [] if life.weights else ["its weights are not in the archive"]
    return [*_early(life, now), *missing, *_undone(registry, life, now, _RETIRED)]


def retire(registry: Registry, model: str, *, force: bool = False, reason: str = "") -> ModelLife:
    """Retire a deprecated model; one that is retired stays as it is.

    Raises WrongState, or DutyUnmet naming all that is missing: a date not reached, weights not
    kept, a duty to be done before. *force* with a *reason* retires it all the same; the entry
    says so, says what was missing, and the duty counts as breached.
    """
    life = registry.model(model)
    if life.state == "retired":
        return life
    if life.state != "deprecated":
        raise WrongState(model=model, state=life.state, needed="deprecated")
    if force and not reason.strip():
        raise BadInput(what=f"the forced retirement of {model}", why="it needs a reason")
    now, missing = registry.now(), unmet(registry, model)
    _check_undone([] if force else missing, life, "retired")
    forced = {"forced": True, "reason": reason, "unmet": missing} if missing else {}
    registry.log(_RETIRED, model, forced, at=now)
    return registry.model(model)


def approve(registry: Registry, act: Entry, keyring: Keyring) -> Entry:
    """Give an act that waits its second signature, and log it; once.

    Raises NotAuthorised; BadInput if it is not possible any more; DutyUnmet for a retirement
    that was not forced, and that would break by now what it did not when it was first signed.
    """
    if act.type == _RETIRED and not act.body and registry.journal.approved(act) is None:
        _check_undone(unmet(registry, act.subject), registry.model(act.subject), "retired")
    return registry.approve(act, keyring)


def set_availability(registry: Registry, model: str, availability: Availability) -> ModelLife:
    """Decide how *model* can be had once it is retired; raise WrongState without its weights."""
    life = registry.model(model)
    if life.availability == availability:
        return life
    if life.weights is None and availability != "archived":
        raise WrongState(model=model, state="without weights", needed="deposited")
    registry.log("model.availability", model, {"availability": availability})
    return registry.model(model)


def revived(registry: Registry, model: str, certificate: R | None) -> Entry:
    """Log that *model* was brought back, and keep its *certificate* if one could be made."""
    life = registry.model(model)
    if life.weights is None:
        raise WrongState(model=model, state="without weights", needed="deposited")
    body: dict[str, object] = {"weights": life.weights}
    if certificate is None:
        return registry.log(_REVIVED, model, body)
    kept = certificate
    path = _certificate_path(registry, life.model, kept)
    registry.file(
        "model.revived", model, path, type(kept), lambda: kept, {**_verdict(kept), **body}
    )
    return next(e for e in registry.find("model.revived", model) if e.body.get("path") == path)


def _announced(
    registry: Registry,
    life: ModelLife,
    asked: tuple[Mapping[Surface, Instant], str | None, str],
    text: str | None,
) -> Notice:
    """Return the notice that is out if it says what is asked, else raise WrongState."""
    dates = {surface: instant(moment) for surface, moment in asked[0].items()}
    notice = published_notice(registry, life.model)
    if (
        notice is None
        or (dates, *asked[1:]) != (notice.retire_at, notice.replacement, notice.reason)
        or text not in {None, notice.text}
    ):
        raise WrongState(model=life.model, state=life.state, needed="in service")
    return notice


def _check_surfaces(life: ModelLife, dates: Mapping[Surface, Instant]) -> None:
    for surface in sorted(set(dates) ^ set(life.open_surfaces)):
        has = "it is not offered there" if surface in dates else "it needs a date there"
        raise BadInput(what=f"{life.model} on the surface {surface!r}", why=has)


def check_dates(
    registry: Registry, life: ModelLife, dates: Mapping[Surface, Instant], now: Instant
) -> None:
    """Raise DateInPast, or NoticeTooShort for a date that breaks a notice or a floor.

    A date that only moves later needs no notice anew.
    """
    policy = registry.policy()
    days = _promised_days(policy, life, "notice")
    has_floor = any(one.kind == "floor" for one in _binding(policy, life))
    for surface, wanted in dates.items():
        if wanted < now:
            what = f"the retirement of {life.model} on {surface}"
            raise DateInPast(what=what, wanted=wanted, now=now)
        stands = life.retire_at.get(surface)
        earliest = after(now, seconds(days)) if stands is None or wanted < stands else wanted
        floor = life.not_before.get(surface) if has_floor else None
        if wanted < max(earliest, floor or earliest):
            raise NoticeTooShort(
                model=life.model,
                surface=surface,
                wanted=wanted,
                days=f"{days:g}",
                earliest=max(earliest, floor or earliest),
            )


def _promised_days(policy: Policy | None, life: ModelLife, kind: str) -> float:
    """Return the longest notice that the policy promises for this model."""
    return max((one.days for one in _binding(policy, life) if one.kind == kind), default=0)


def _binding(policy: Policy | None, life: ModelLife) -> list[Commitment]:
    """Return the commitments that bind for this model by its scope word."""
    words = {life.scope} | ({"significant-internal"} if life.scope == "internal" else set())
    return [one for one in (policy.commitments if policy else ()) if words & set(one.scope)]


def recommended(registry: Registry, life: ModelLife, successor: str | None) -> ModelLife | None:
    """Return the model that may be recommended instead of *life*; raise NoSuchSuccessor."""
    if successor is None:
        return None
    known = {one.model: one for one in registry.models()}
    found = known.get(ModelId(successor))
    if found is None or found.model == life.model or found.state not in _DEPRECABLE:
        raise NoSuchSuccessor(successor=successor)
    return found


def _notice_path(registry: Registry, notice: Notice, text: str | None) -> str:
    """Return ``notice.json``, or another name if a crash left other facts there unlogged."""
    for number in count(1):
        path = "notice.json" if number == 1 else f"notice-{number}.json"
        try:
            there = registry.filed(notice.model, path, Notice)
        except NotFound:
            return path
        if _body(there) == _body(notice) and text in {None, there.text}:
            return path
    raise AssertionError


def _body(notice: Notice) -> dict[str, object]:
    return {
        "retire_at": dict(notice.retire_at),
        "replacement": notice.replacement,
        "reason": notice.reason,
        **({"alternatives": list(notice.alternatives)} if notice.alternatives else {}),
        **({"existing_users": notice.existing_users.plain()} if notice.existing_users else {}),
    }


def _write(registry: Registry, notice: Notice, life: ModelLife, successor: ModelLife | None) -> str:
    from jinja2 import Environment, StrictUndefined

    plain = Environment(undefined=StrictUndefined, trim_blocks=False)  # noqa: S701 - Markdown
    facts = {
        "title": life.title,
        "model": life.model,
        "announced": notice.announced,
        "reason": notice.reason.strip(),
        "dates": list(notice.retire_at.items()),
        "first": min(notice.retire_at.values()),
        "made_from": dependents(registry.entries(), life.model),
        "successor": successor.title if successor else "",
        "successor_id": successor.model if successor else "",
        "alternatives": notice.alternatives,
        "existing": notice.existing_users,
        "weights": life.weights,
        "availability": life.availability,
    }
    return plain.from_string(_template()).render(facts).strip() + "\n"


def _template() -> str:
    text = resources.files("otium").joinpath("data", "notice.md").read_text("utf-8")
    return text.partition("+++\n")[2].partition("+++\n")[2]


def _early(life: ModelLife, now: Instant) -> list[str]:
    return [
        f"on {surface} it was announced for {date}, and it is {now}"
        for surface, date in sorted(life.retire_at.items())
        if now < date
    ]


def _check_undone(missing: Sequence[str], life: ModelLife, step: str) -> None:
    """Raise DutyUnmet if anything is missing."""
    if missing:
        raise DutyUnmet(model=life.model, step=step, unmet="; ".join(missing))


def _undone(registry: Registry, life: ModelLife, now: Instant, step: str) -> list[str]:
    """Return what was promised to come before *step* and would be broken by taking it now."""
    entries, policy = registry.entries(), registry.policy()
    if policy is None:
        return []
    before = {it.id: it for it in policy.commitments if (it.kind, it.before) == ("before", step)}
    taken = Entry(type=step, time=now, actor=actor_for(step), subject=life.model)
    return [
        f"{duty.text} ({duty.commitment}: no entry {before[duty.commitment].fulfil})"
        for duty in duties(policy, [*entries, taken], now)
        if (duty.model, duty.state) == (life.model, "breached") and duty.commitment in before
    ]


def _certificate_path(registry: Registry, model: ModelId, certificate: R) -> str:
    """Return the first free name for this certificate's time, or the one it already has."""
    moment = str(certificate.plain().get("certified") or registry.now())
    stem = "certificates/" + "".join(one for one in moment if one.isalnum())
    for number in count(1):
        path = f"{stem}.json" if number == 1 else f"{stem}-{number}.json"
        try:
            if registry.archive.record(model, path) == certificate.encode():
                return path
        except NotFound:
            return path
    raise AssertionError


def _verdict(certificate: R) -> dict[str, object]:
    plain = certificate.plain()
    return {"verdict": plain["verdict"]} if "verdict" in plain else {}
