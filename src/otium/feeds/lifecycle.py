"""The feed in JSON: ``lifecycle.json`` for all models or for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otium.feeds.records import Feed, ModelFacts, Pages, Publisher, surfaces_of
from otium.lifecycle import ModelLife
from otium.records import Instant, ModelId


def feed(
    lives: Iterable[ModelLife],
    publisher: Publisher,
    now: Instant,
    pages: Mapping[ModelId, Pages] | None = None,
) -> Feed:
    """Return the feed of *lives* (all of a house, or one) as they stand at *now*."""
    there = pages or {}
    facts = tuple(_facts(life, there.get(life.model, Pages())) for life in lives)
    return Feed(publisher=publisher.name, generated_at=now, models=facts)


def _facts(life: ModelLife, pages: Pages) -> ModelFacts:
    return ModelFacts(
        id=life.model,
        title=life.title,
        family=life.family,
        parent=life.parent,
        state=life.state,
        availability=life.availability,
        scope=life.scope,
        released=life.released,
        legacy_at=life.legacy,
        deprecated_at=life.deprecated,
        retired_at=life.retired,
        withdrawn_at=life.withdrawn,
        surfaces=surfaces_of(life),
        replacement=life.replacement,
        replacement_stated=life.replacement_stated,
        alternatives=life.alternatives,
        reason=life.reason,
        existing_users=life.existing_users,
        aliases=life.aliases,
        silent_updates=life.silent_updates,
        snapshot_of=life.snapshot_of,
        weights=life.weights,
        revisions=life.revisions,
        page_url=pages.page,
        notice_url=pages.notice,
        report_url=pages.report,
    )
