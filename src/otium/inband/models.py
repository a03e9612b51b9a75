"""Model objects, in OpenAI's and Anthropic's shape, and lines of the feed."""

from __future__ import annotations

from collections.abc import Sequence

from otium.inband.headers import moment
from otium.inband.records import (
    Brownout,
    Deprecation,
    EngineStatus,
    ExitFacts,
    Lifecycle,
    ModelObject,
    RevivalFacts,
    Urls,
    sunset_of,
)
from otium.lifecycle import ModelLife


def model_object(
    life: ModelLife,
    urls: Urls,
    *,
    engine: EngineStatus,
    revival: RevivalFacts | None = None,
    brownouts: Sequence[Brownout] = (),
    leaving: ExitFacts | None = None,
) -> ModelObject:
    """Return the model object of ``GET /v1/models``."""
    lifecycle = Lifecycle(
        state=life.state,
        availability=life.availability,
        released_at=life.released,
        deprecated_at=life.deprecated,
        retire_at=life.retire_at,
        sunset_at=sunset_of(life) if life.deprecated or life.withdrawn else None,
        retired_at=life.retired or life.withdrawn,
        successor=life.replacement,
        alternatives=life.alternatives,
        weights=life.weights,
        weights_digest=life.weights,
        fidelity="exact" if life.weights else None,
        note_url=urls.note,
        report_url=urls.report,
        access_url=urls.access,
        engine=engine,
        revival=revival,
        brownouts=tuple(brownouts),
    )
    created = int(moment(life.released).timestamp())
    return ModelObject(
        id=life.model, created=created, owned_by="otium", lifecycle=lifecycle, exit=leaving
    )


def anthropic_object(life: ModelLife, shown: ModelObject) -> dict[str, object]:
    """Return a model in the shape of Anthropic's API, with the same lifecycle."""
    return {
        "type": "model",
        "id": life.model,
        "display_name": life.title,
        "created_at": life.released,
        "lifecycle": shown.lifecycle.plain(),
        "exit": shown.exit.plain() if shown.exit else None,
    }


def deprecation(
    life: ModelLife, urls: Urls, brownouts: Sequence[Brownout] = ()
) -> Deprecation | None:
    """Return the feed's line for a model, or None if its deprecation was not announced."""
    announced = life.deprecated or life.withdrawn
    if announced is None:
        return None
    return Deprecation(
        model=life.model,
        state=life.state,
        deprecated_at=announced,
        retire_at=life.retire_at,
        retired_at=life.retired or life.withdrawn,
        successor=life.replacement,
        alternatives=life.alternatives,
        availability=life.availability,
        reason=life.reason,
        note_url=urls.note,
        report_url=urls.report,
        brownouts=tuple(brownouts),
    )
