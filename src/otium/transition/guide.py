"""The guide itself: made once, filed beside the weights, announced in the ledger."""

from __future__ import annotations

from otium.engine import Model
from otium.errors import NoSuchSuccessor
from otium.lifecycle import ModelLife, Registry
from otium.records import ModelId, Progress, silent
from otium.transition.advice import advise
from otium.transition.compare import compare_models, load_prompts
from otium.transition.markdown import guide_markdown
from otium.transition.measure import character
from otium.transition.records import Prompts, TransitionGuide

PATH = "transition.json"


def write_guide(
    registry: Registry,
    model: ModelId,
    old: Model,
    new: Model,
    *,
    limit: int | None = None,
    prompts: Prompts | None = None,
    progress: Progress = silent,
) -> TransitionGuide:
    """Compare *old* with *new*, file ``transition.json`` and log ``transition.published``.

    Idempotent: a guide that was published is returned and neither model is asked again.
    Raises NoSuchSuccessor if *new* is not the replacement that was announced for *model*.
    """
    life = registry.model(model)
    if life.replacement is not None and new.identity.model != life.replacement:
        raise NoSuchSuccessor(successor=new.identity.model)

    def make() -> TransitionGuide:
        return make_guide(
            registry, life, old, new, prompts or load_prompts(), limit=limit, progress=progress
        )

    return registry.file("transition.published", model, PATH, TransitionGuide, make)


def make_guide(
    registry: Registry,
    life: ModelLife,
    old: Model,
    new: Model,
    prompts: Prompts,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> TransitionGuide:
    """Return the guide without filing it."""
    comparisons = compare_models(old, new, prompts, limit=limit, progress=progress)
    sides = {
        "retiring": character([item.retiring for item in comparisons]),
        "successor": character([item.successor for item in comparisons]),
    }
    advice = advise(comparisons, sides["retiring"], sides["successor"])
    successor = new.identity.model
    text = guide_markdown(
        life,
        registry.model(successor).title,
        comparisons=comparisons,
        sides=sides,
        advice=advice,
        prompts=prompts,
    )
    return TransitionGuide(
        model=life.model,
        successor=successor,
        retiring=old.identity,
        replacing=new.identity,
        written=registry.now(),
        instrument=prompts.digest(),
        comparisons=comparisons,
        character=sides,
        advice=advice,
        markdown=text,
    )
