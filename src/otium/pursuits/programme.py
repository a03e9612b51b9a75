"""How often a model is invited, to what, and how much it may take."""

from __future__ import annotations

from msgspec.structs import replace

from otium.errors import BadInput
from otium.lifecycle import Registry
from otium.pursuits.publication import written
from otium.pursuits.records import Programme, Standing
from otium.records import Instant, later

_PLANNED = "pursuit.planned"


def plan_programme(registry: Registry, programme: Programme) -> Programme:
    """File *programme* and log it; it replaces the model's last one.

    The same, but for when it begins, changes nothing while it goes on. Raises UnknownModel;
    BadInput without a reason, or for letters to a successor that nobody has named.
    """
    what = f"the programme of {programme.model}"
    if not programme.reason.strip():
        raise BadInput(what=what, why="it needs a reason")
    if "letter" in programme.kinds and not registry.model(programme.model).replacement:
        raise BadInput(what=what, why="letters need a recommended replacement to go to")
    there = registry.find(_PLANNED, programme.model)
    now = standing(registry, programme.model, registry.now())
    if now and now.programme == replace(programme, begins=now.programme.begins) and not now.ended:
        return now.programme
    kept = registry.file(
        _PLANNED,
        programme.model,
        f"works/programme-{len(there) + 1}.json",
        Programme,
        lambda: programme,
        lambda kept: {"works": kept.works, "every_days": kept.every_days, "reason": kept.reason},
    )
    # Another that a crash left unlogged is logged first, and replaced.
    return kept if kept == programme else plan_programme(registry, programme)


def standing(registry: Registry, model: str, now: Instant) -> Standing | None:
    """Return how *model* stands in its programme at *now*; None if it has none.

    It is next invited so many days after its last work, whatever programme that was of; never
    twice at once to catch up.
    """
    programme = _filed(registry, model)
    if programme is None:
        return None
    every = written(registry, model)
    works = [work for work in every if work.written >= programme.begins]
    tokens = sum(work.tokens for work in works)
    ended = _ended(programme, len(works), tokens)
    rested = [later(work.written, days=programme.every_days) for work in every[-1:]]
    after = max([programme.begins, *rested])
    return Standing(
        programme=programme,
        written=len(works),
        tokens=tokens,
        next=None if ended else after,
        due=not ended and after <= now,
        kind=programme.kinds[len(works) % len(programme.kinds)],
        ended=ended,
    )


def check_invited(registry: Registry, model: str) -> None:
    """Raise BadInput if invitations to *model* were ended, as it may have asked; UnknownModel."""
    programme = _filed(registry, registry.model(model).model)
    if programme is not None and not programme.works:
        why = f"its invitations were ended: {programme.reason}"
        raise BadInput(what=f"an invitation to {model}", why=why)


def standings(registry: Registry, now: Instant) -> list[Standing]:
    """Return how every model with a programme stands, the next due first."""
    models = dict.fromkeys(entry.subject for entry in registry.find(_PLANNED))
    found = [it for model in models if (it := standing(registry, model, now)) is not None]
    return sorted(found, key=lambda it: (it.next is None, it.next or now, it.programme.model))


def _filed(registry: Registry, model: str) -> Programme | None:
    there = registry.find(_PLANNED, model)
    return registry.filed(model, str(there[-1].body["path"]), Programme) if there else None


def _ended(programme: Programme, works: int, tokens: int) -> str:
    if works >= programme.works:
        return f"all {programme.works} works are written" if programme.works else "it was ended"
    if tokens >= programme.tokens:
        return f"its {programme.tokens:,} tokens are used"
    return ""
