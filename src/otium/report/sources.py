"""Everything in the archive that a report rests on."""

from __future__ import annotations

from typing import NamedTuple

from otium.assess import Assessment
from otium.errors import UnknownRecord
from otium.evidence import Validity
from otium.interview import Decision, Interview, Preference, preferences
from otium.lifecycle import ModelLife, Registry
from otium.records import Digest, ModelId

BEFORE = "assessments/pre-deployment.json"
AFTER = "assessments/post-deployment.json"


class Sources(NamedTuple):
    """A model's life and the records about it, read once."""

    life: ModelLife
    before: Assessment | None
    after: Assessment | None
    interviews: tuple[Interview, ...]
    preferences: tuple[Preference, ...]
    decisions: tuple[Decision, ...]
    evidence: dict[str, Digest]
    """Path to digest of each record above."""

    @property
    def validity(self) -> Validity | None:
        """Return the latest judgement on whether the model can be asked at all."""
        return self.interviews[-1].validity if self.interviews else None


def read_sources(registry: Registry, model: ModelId) -> Sources:
    """Read the bookends, interviews, preferences and decisions of *model*."""
    before, after = _assessment(registry, model, BEFORE), _assessment(registry, model, AFTER)
    paths = [str(e.body["path"]) for e in registry.find("interview.recorded", model)]
    interviews = tuple(registry.filed(model, path, Interview) for path in paths)
    standing = [s for s in preferences(registry) if s.preference.model == model]
    wished = {p.id: p for interview in interviews for p in interview.preferences}
    wished |= {s.preference.id: s.preference for s in standing}
    kept = registry.archive.records(model)
    used = [BEFORE] * (before is not None) + [AFTER] * (after is not None) + paths
    return Sources(
        life=registry.model(model),
        before=before,
        after=after,
        interviews=interviews,
        preferences=tuple(wished.values()),
        decisions=tuple(s.decision for s in standing if s.decision is not None),
        evidence={path: kept[path] for path in used},
    )


def _assessment(registry: Registry, model: ModelId, path: str) -> Assessment | None:
    try:
        return registry.filed(model, path, Assessment)
    except UnknownRecord:
        return None
