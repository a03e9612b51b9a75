"""What an actor's state means for whoever waits, and when its engine should be up."""

from __future__ import annotations

from otium.records import ModelId
from otium.residence.actor import Actor
from otium.residence.floor import Floor
from otium.residence.records import EngineStatus, Standing

_HOUR = 3600.0


def status(floor: Floor, model: ModelId, now: float) -> EngineStatus:
    """Return a model's state in llama-server's words."""
    actor = floor.actors.get(model)
    if actor is None or actor.stage == "unloaded":
        return "failed" if actor is not None and actor.failed(now) else "unloaded"
    return "loading" if actor.stage == "waiting" else actor.stage


def standing(floor: Floor, model: ModelId, now: float) -> Standing:
    """Return all that is known of a model's place."""
    actor = floor.actors.get(model) or Actor(model, floor)
    past = actor.history
    return Standing(
        model=model,
        status=status(floor, model, now),
        stage=_stage(floor, actor, now),
        users=actor.users,
        waiting=len(actor.queue),
        ahead=len(_ahead(floor, actor)),
        bytes=past.bytes or 0,
        measured=past.measured,
        per_hour=past.rate(now, floor.limits.half_life_seconds) * _HOUR,
        load_seconds=past.load_seconds,
        eta_seconds=_eta(floor, actor, now),
        retry_seconds=max(actor.retry - now, 0.0) if actor.failed(now) else 0.0,
        pinned=actor.pinned,
        loads=past.loads,
        failures=past.failures,
        crashes=past.crashes,
    )


def _ahead(floor: Floor, actor: Actor) -> list[Actor]:
    return floor.line[: floor.line.index(actor)] if actor in floor.line else []


def _stage(floor: Floor, actor: Actor, now: float) -> str:
    if actor.stage == "waiting":
        count = len(_ahead(floor, actor))
        return f"waits for room, {count} ahead" if count else "waits for room"
    if actor.stage == "loaded":
        return "is up until its answers are finished" if actor.leaving else "is up"
    if actor.failed(now):
        return f"could not be started ({type(actor.error).__name__})"
    return {"loading": "is being loaded", "stopping": "is being stopped"}.get(
        actor.stage, "is not loaded"
    )


def _eta(floor: Floor, actor: Actor, now: float) -> float | None:
    """Return the seconds until the engine is up, if earlier loads tell; room is taken to come.

    A model in line also waits for the loads before it, as many at once as may be.
    """
    if actor.stage == "loaded" and not actor.leaving:
        return 0.0
    own = _load_seconds(floor, actor)
    if own is None or actor.failed(now):
        return None
    if actor.stage == "loading":
        return max(own - (now - actor.since), 0.0)
    before = [_load_seconds(floor, one) or own for one in _ahead(floor, actor)]
    return own + sum(before) / (floor.limits.loads or max(len(before), 1))


def _load_seconds(floor: Floor, actor: Actor) -> float | None:
    """Return what a load takes: as this model's earlier ones, else as others' of its size."""
    if actor.history.load_seconds is not None:
        return actor.history.load_seconds
    if not floor.loads:
        return None
    if floor.load_bytes and actor.history.bytes:
        return floor.load_seconds * actor.history.bytes / floor.load_bytes
    return floor.load_seconds / floor.loads
