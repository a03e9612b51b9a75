"""Do what is due: the step that a timer runs."""

from __future__ import annotations

from otium.archive import Damage
from otium.errors import DamagedObject
from otium.lifecycle import Duty, duties, policy_in_force
from otium.records import ModelId, Part, Progress, days_between, silent
from otium.workflow.home import Home
from otium.workflow.steps import restore_drill

_BEAT = 0.8
"""Days between heartbeats: under one, so that a daily timer is never late."""
_AHEAD = 14.0
"""How many days before its deadline a full read or a drill is done."""
TICKED = {"heartbeat", "model.checked", "model.restored"}
"""What a tick can do by itself; all else waits for people."""


class Ticked(Part):
    """What one tick did, or would do."""

    heartbeat: bool
    checked: tuple[ModelId, ...] = ()
    """Models whose weights were read in full."""
    drilled: tuple[ModelId, ...] = ()
    """Models that were restored, to prove that they can be."""
    damage: tuple[Damage, ...] = ()
    """What the reads and the drills found wrong."""
    waiting: tuple[Duty, ...] = ()
    """Duties that are due or overdue and need a person."""


def tick(home: Home, *, dry_run: bool = False, progress: Progress = silent) -> Ticked:
    """Log a heartbeat, do the full reads and drills that are near, name what waits for people.

    Idempotent: a second tick at once does nothing.
    """
    beat = _beat_is_due(home)
    near = _near(home)
    checks = tuple(ModelId(duty.subject) for duty, fulfil in near if fulfil == "model.checked")
    drills = tuple(ModelId(duty.subject) for duty, fulfil in near if fulfil == "model.restored")
    damage: list[Damage] = []
    if not dry_run:
        if beat:
            home.registry.log("heartbeat", home.archive.id)
        for model in checks:
            damage += home.registry.check(model, progress=progress).damage
        for model in drills:
            damage += _drill(home, model, progress)
    return Ticked(
        heartbeat=beat,
        checked=checks,
        drilled=drills,
        damage=tuple(damage),
        waiting=_waiting(home),
    )


def _drill(home: Home, model: ModelId, progress: Progress) -> list[Damage]:
    """Restore a model and return what was wrong; a failed drill does not stop the next."""
    try:
        restore_drill(home, model, progress=progress)
    except DamagedObject as error:
        found, expected = str(error.facts["found"]), str(error.facts["expected"])
        name = str(error.facts["name"])
        return [Damage(name=name, found=found, expected=expected, models=(model,))]
    return []


def _beat_is_due(home: Home) -> bool:
    beats = home.registry.find("heartbeat")
    return not beats or days_between(beats[-1].time, home.registry.clock.now()) >= _BEAT


def _open(home: Home) -> list[tuple[Duty, str]]:
    """Return each open duty with the entry type that fulfils it."""
    entries, now = home.registry.entries(), home.registry.clock.now()
    policy = policy_in_force(entries)
    if policy is None:
        return []
    fulfils = {commitment.id: commitment.fulfil for commitment in policy.commitments}
    standing = duties(policy, entries, now)
    return [(d, fulfils[d.commitment]) for d in standing if d.state in {"due", "overdue"}]


def _near(home: Home) -> list[tuple[Duty, str]]:
    now = home.registry.clock.now()
    return [
        (duty, fulfil)
        for duty, fulfil in _open(home)
        if duty.due is not None and days_between(now, duty.due) <= _AHEAD
        if home.registry.find("model.deposited", ModelId(duty.subject))
    ]


def _waiting(home: Home) -> tuple[Duty, ...]:
    return tuple(duty for duty, fulfil in _open(home) if fulfil not in TICKED)
