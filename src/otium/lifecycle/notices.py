"""Announcing a deprecation: checked against the promised notice, written for people, logged."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from itertools import count

from otium.errors import (
    BadData,
    BadInput,
    DateInPast,
    NoSuchSuccessor,
    NoticeTooShort,
    NotFound,
    WrongState,
)
from otium.lifecycle.life import dependents
from otium.lifecycle.policy import policy_in_force
from otium.lifecycle.records import ModelLife, Notice, Policy, Surface
from otium.lifecycle.registry import Registry
from otium.lifecycle.times import after, seconds
from otium.records import Instant, ModelId, instant

_LOGGED = "model.deprecated"
_FENCE = "+++\n"


def check_deprecation(
    registry: Registry,
    model: str,
    *,
    retire_at: Mapping[Surface, Instant],
    replacement: str | None,
    reason: str,
    text: str | None = None,
) -> Notice:
    """Return the notice that `deprecate` would publish now, writing nothing.

    *retire_at* needs a date for each surface of the model. Raises WrongState, BadInput,
    DateInPast, NoticeTooShort with the earliest date allowed, or NoSuchSuccessor.
    """
    life, now = registry.model(model), registry.now()
    if life.state not in {"registered", "active"}:
        raise WrongState(model=model, state=life.state, needed="in service")
    dates = {surface: instant(moment) for surface, moment in sorted(retire_at.items())}
    _check_surfaces(life, dates)
    _check_dates(life, dates, now, _notice_days(policy_in_force(registry.entries()), life))
    successor = _successor(registry, life, replacement)
    if not reason.strip() or (text is not None and not text.strip()):
        raise BadInput(what=f"the notice for {model}", why="it needs a reason and a text")
    notice = Notice(
        model=life.model,
        announced=now,
        retire_at=dates,
        replacement=successor.model if successor else None,
        reason=reason,
        text=text or "",
    )
    if text is not None:
        return notice
    made_from = dependents(registry.entries(), model)
    return Notice(**{**_fields(notice), "text": _write(notice, life, successor, made_from)})


def deprecate(
    registry: Registry,
    model: str,
    *,
    retire_at: Mapping[Surface, Instant],
    replacement: str | None,
    reason: str,
    text: str | None = None,
) -> Notice:
    """Announce that *model* will retire; the same announcement again changes nothing.

    Files ``notice.json`` and logs ``model.deprecated``. Raises as `check_deprecation`.
    """
    life = registry.model(model)
    if life.state in {"deprecated", "retired"}:
        return _announced(registry, life, retire_at, replacement, reason)
    notice = check_deprecation(
        registry, model, retire_at=retire_at, replacement=replacement, reason=reason, text=text
    )
    path = _path(registry, notice)
    return registry.file(_LOGGED, model, path, Notice, lambda: notice, _body, at=notice.announced)


def published_notice(registry: Registry, model: str) -> Notice | None:
    """Return the notice of a deprecated or retired model, or None if it has none."""
    logged = [entry for entry in registry.find(_LOGGED, model) if entry.refs]
    return registry.filed(model, str(logged[0].body["path"]), Notice) if logged else None


def _announced(
    registry: Registry,
    life: ModelLife,
    retire_at: Mapping[Surface, Instant],
    replacement: str | None,
    reason: str,
) -> Notice:
    dates = {surface: instant(moment) for surface, moment in retire_at.items()}
    asked = (dates, replacement, reason)
    notice = published_notice(registry, life.model)
    if notice is None or asked != (notice.retire_at, notice.replacement, notice.reason):
        raise WrongState(model=life.model, state=life.state, needed="in service")
    return notice


def _check_surfaces(life: ModelLife, dates: Mapping[Surface, Instant]) -> None:
    for surface in sorted(set(dates) ^ set(life.surfaces)):
        has = "it is not offered there" if surface in dates else "it needs a date there"
        raise BadInput(what=f"{life.model} on the surface {surface!r}", why=has)


def _check_dates(
    life: ModelLife, dates: Mapping[Surface, Instant], now: Instant, days: float
) -> None:
    earliest = after(now, seconds(days))
    for surface, wanted in dates.items():
        if wanted < now:
            what = f"the retirement of {life.model} on {surface}"
            raise DateInPast(what=what, wanted=wanted, now=now)
        if wanted < earliest:
            raise NoticeTooShort(
                model=life.model,
                surface=surface,
                wanted=wanted,
                days=f"{days:g}",
                earliest=earliest,
            )


def _notice_days(policy: Policy | None, life: ModelLife) -> float:
    """Return the longest notice that the policy promises for this model."""
    promised = (
        one.days
        for one in (policy.commitments if policy else ())
        if one.kind == "notice" and one.trigger == _LOGGED and life.scope in one.scope
    )
    return max(promised, default=0)


def _successor(registry: Registry, life: ModelLife, successor: str | None) -> ModelLife | None:
    if successor is None:
        return None
    known = {one.model: one for one in registry.models()}
    found = known.get(ModelId(successor))
    if found is None or found.model == life.model or found.state not in {"registered", "active"}:
        raise NoSuchSuccessor(successor=successor)
    return found


def _path(registry: Registry, notice: Notice) -> str:
    """Return ``notice.json``; past notices that a crash left unlogged keep their names."""
    for number in count(1):
        path = "notice.json" if number == 1 else f"notice-{number}.json"
        try:
            there = registry.filed(notice.model, path, Notice)
        except NotFound:
            return path
        if _body(there) == _body(notice) and there.text == notice.text:
            return path
    raise AssertionError


def _body(notice: Notice) -> dict[str, object]:
    return {
        "retire_at": dict(notice.retire_at),
        "replacement": notice.replacement,
        "reason": notice.reason,
    }


def _fields(notice: Notice) -> dict[str, object]:
    return {name: getattr(notice, name) for name in notice.__struct_fields__}


def _write(
    notice: Notice, life: ModelLife, successor: ModelLife | None, made_from: list[ModelId]
) -> str:
    dates = "\n".join(f"- {surface}: {moment}" for surface, moment in notice.retire_at.items())
    to = f"{successor.title} (`{successor.model}`)" if successor else ""
    return _template().format(
        title=life.title,
        model=life.model,
        announced=notice.announced,
        reason=notice.reason.strip(),
        dates=dates,
        first=min(notice.retire_at.values()),
        affected=_AFFECTED.format(names=", ".join(made_from)) if made_from else "",
        advice=_MOVE.format(to=to) if successor else _NO_SUCCESSOR,
        weights=_WEIGHTS.format(weights=life.weights) if life.weights else _NO_WEIGHTS,
        availability=_AVAILABILITY[life.availability],
    )
