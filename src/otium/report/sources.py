"""Everything in the archive that a report rests on."""

from __future__ import annotations

from typing import NamedTuple

from otium.assess import Assessment
from otium.errors import WrongState
from otium.evidence import Validity
from otium.interview import Decision, Interview, Preference, preferences
from otium.lifecycle import ModelLife, Registry
from otium.records import Digest, ModelId

BEFORE = "assessments/pre-deployment.json"
AFTER = "assessments/post-deployment.json"


class Sources(NamedTuple):
    """A model's life and the records about it, read once."""

    life: ModelLife
    weights: Digest
    before: Assessment | None
    after: Assessment | None
    interviews: dict[str, Interview]
    """By path, the earliest first."""
    preferences: tuple[Preference, ...]
    decisions: tuple[Decision, ...]
    evidence: dict[str, Digest]
    """Path to digest of each record above."""

    @property
    def validity(self) -> Validity | None:
        """Return the latest judgement on whether the model can be asked at all."""
        return [held.validity for held in self.interviews.values()][-1] if self.interviews else None


def read_sources(registry: Registry, model: ModelId) -> Sources:
    """Read the bookends, interviews, preferences and decisions of *model*.

    Raises WrongState if its weights are not deposited: a report is kept beside them.
    """
    life = registry.model(model)
    if life.weights is None:
        raise WrongState(model=life.model, state=life.state, needed="deposited in the archive")
    before, after = _assessment(registry, model, BEFORE), _assessment(registry, model, AFTER)
    paths = [str(e.body["path"]) for e in registry.find("interview.recorded", model)]
    interviews = {path: registry.filed(model, path, Interview) for path in paths}
    standing = preferences(registry, model)
    wished = {p.id: p for held in interviews.values() for p in held.preferences}
    wished |= {s.preference.id: s.preference for s in standing}
    kept = registry.archive.records(model)
    used = [BEFORE] * (before is not None) + [AFTER] * (after is not None) + paths
    return Sources(
        life=life,
        weights=life.weights,
        before=before,
        after=after,
        interviews=interviews,
        preferences=tuple(wished.values()),
        decisions=tuple(s.decision for s in standing if s.decision is not None),
        evidence={path: kept[path] for path in used},
    )


def _assessment(registry: Registry, model: ModelId, path: str) -> Assessment | None:
    logged = registry.find("assessment.recorded", model)
    if not any(entry.body.get("path") == path for entry in logged):
        return None
    return registry.filed(model, path, Assessment)
