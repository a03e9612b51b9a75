"""What changes in a life besides its announced end: floors, dates, names, and the emergency.

Each is checked as the model stands, and logged. The same change again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otium.errors import BadInput, WrongState
from otium.lifecycle.records import ModelLife, Surface, Used
from otium.lifecycle.registry import Registry
from otium.lifecycle.steps import check_dates, recommended
from otium.records import Instant, instant


def set_floor(
    registry: Registry,
    model: str,
    not_before: Mapping[Surface, Instant],
    *,
    reason: str,
    force: bool = False,
) -> ModelLife:
    """Say that surfaces of *model* end not sooner than these dates.

    Raises BadInput; also for a floor that moves forward, unless *force*: it breaks the promise
    for good where floors are promised.
    """
    life = registry.model(model)
    floors = {one: instant(at) for one, at in sorted(not_before.items())}
    if all(life.not_before.get(one) == at for one, at in floors.items()) and floors:
        return life
    for surface, at in floors.items():
        was = life.not_before.get(surface, at)
        if at < was and not force:
            why = f"it was said to be not before {was}; --force lowers it, visibly and for good"
            raise BadInput(what=f"the floor of {model} on {surface}", why=why)
    body = {"not_before": floors, "reason": _reason(reason, "a floor that moves")}
    return registry.move("model.floor", model, body)


def make_legacy(
    registry: Registry, model: str, *, reason: str, replacement: str | None = None
) -> ModelLife:
    """Say that *model* gets no more updates; it works as before. Raise BadInput, WrongState."""
    life = registry.model(model)
    if life.state == "legacy":
        return life
    if life.state != "active":
        raise WrongState(model=model, state=life.state, needed="active")
    successor = recommended(registry, life, replacement)
    body: dict[str, object] = {"reason": _reason(reason, "a legacy state")}
    body |= {"replacement": successor.model} if successor else {}
    return registry.move("model.legacy", model, body)


def reschedule(
    registry: Registry, model: str, retire_at: Mapping[Surface, Instant], *, reason: str
) -> ModelLife:
    """Move announced dates; earlier ones need the promised notice anew.

    Raises WrongState, BadInput, DateInPast, NoticeTooShort with the earliest date allowed.
    """
    life, now = registry.model(model), registry.now()
    if life.state != "deprecated":
        raise WrongState(model=model, state=life.state, needed="deprecated")
    dates = {one: instant(at) for one, at in sorted(retire_at.items())}
    if all(life.retire_at.get(one) == at for one, at in dates.items()) and dates:
        return life
    check_dates(registry, life, dates, now)
    body = {"retire_at": dates, "reason": _reason(reason, "a date that moves")}
    return registry.move("model.rescheduled", model, body)


def cancel_deprecation(registry: Registry, model: str, *, reason: str) -> ModelLife:
    """Take an announced retirement back; raise WrongState, BadInput."""
    life = registry.model(model)
    if life.state != "deprecated":
        raise WrongState(model=model, state=life.state, needed="deprecated")
    body = {"reason": _reason(reason, "a retirement that is taken back")}
    return registry.move("deprecation.cancelled", model, body)


def recommend(
    registry: Registry,
    model: str,
    replacement: str | None,
    *,
    reason: str,
    alternatives: Sequence[str] = (),
) -> ModelLife:
    """Recommend another replacement, or none; raise NoSuchSuccessor, BadInput."""
    life = registry.model(model)
    successor = recommended(registry, life, replacement)
    others = [other.model for one in alternatives if (other := recommended(registry, life, one))]
    wanted = successor.model if successor else None
    why = _reason(reason, "another recommendation")
    stands = (life.replacement, list(life.alternatives)) if life.replacement_stated else None
    if stands == (wanted, others):
        return life
    body = {"replacement": wanted, "alternatives": others, "reason": why}
    return registry.move("model.replacement", model, body)


def end_surface(registry: Registry, model: str, surface: Surface) -> ModelLife:
    """End *model* on one surface whose date has come; the last one retires the model.

    Raises WrongState before its date (a withdrawal is what an emergency needs), BadInput.
    """
    life, now = registry.model(model), registry.now()
    if surface in life.ended:
        return life
    date = life.retire_at.get(surface)
    if date is None or now < date:
        said = (
            f"announced to end on {surface} at {date}"
            if date
            else f"not announced to end on {surface}"
        )
        raise WrongState(model=model, state=said, needed="at its date")
    if life.open_surfaces == (surface,):
        what = f"{surface}, the last surface of {model}"
        raise BadInput(what=what, why="its end is the retirement: otium model retire")
    return registry.move("surface.ended", model, {"surface": surface})


def withdraw(registry: Registry, model: str, *, reason: str) -> ModelLife:
    """Take *model* out of service at once, without notice: for emergencies only.

    Its weights stay, and what is owed stays owed. Needs two signatures where there are roles.
    Raises WrongState, BadInput.
    """
    life = registry.model(model)
    if life.state == "withdrawn":
        return life
    if not life.in_service:
        raise WrongState(model=model, state=life.state, needed="in service")
    return registry.move("model.withdrawn", model, {"reason": _reason(reason, "a withdrawal")})


def point_alias(
    registry: Registry, alias: str, model: str, *, silent_updates: bool | None = None
) -> ModelLife:
    """Let a moving name point to *model*, and say whether it moves unannounced."""
    life = registry.model(model)
    if alias in life.aliases and silent_updates in {None, life.silent_updates}:
        return life
    body: dict[str, object] = {"alias": alias}
    body |= {} if silent_updates is None else {"silent_updates": silent_updates}
    return registry.move("alias.pointed", model, body)


def measure_use(
    registry: Registry,
    model: str,
    *,
    users: float | None = None,
    requests_per_day: float | None = None,
) -> ModelLife:
    """Log how much *model* is used inside; a policy may say from when that is significant."""
    life = registry.model(model)
    if life.used == Used(users=users, requests_per_day=requests_per_day):
        return life
    facts = {"users": users, "requests_per_day": requests_per_day}
    return registry.move("model.used", model, {k: v for k, v in facts.items() if v is not None})


def _reason(reason: str, what: str) -> str:
    if not reason.strip():
        raise BadInput(what=what, why="it needs a reason")
    return reason
