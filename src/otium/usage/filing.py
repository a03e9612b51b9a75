"""Keep usage and incidents beside the weights. Each filing has a number; the newest counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from otium.errors import BadInput
from otium.lifecycle import ModelLife, Registry
from otium.records import ModelId, Record
from otium.usage.reading import read_incidents, read_usage
from otium.usage.records import THRESHOLD, Incidents, Usage
from otium.usage.suppression import suppress

USAGE, INCIDENTS = "usage.recorded", "incidents.recorded"
R = TypeVar("R", bound=Record)
F = TypeVar("F", Usage, Incidents)


def usage_record(
    registry: Registry, model: ModelId, data: bytes, threshold: int = THRESHOLD
) -> Usage:
    """Return what `file_usage` would file; raise UnknownModel, BadInput."""
    life = registry.model(model)
    rows, now = read_usage(data, life.surfaces), registry.now()
    if ahead := [row.period for row in rows if row.period > now[: len(row.period)]]:
        why = f"{ahead[0]} has not begun, and what is filed stays"
        raise BadInput(what="the usage file", why=why)
    earlier = _filed(registry, life, USAGE, Usage)
    return Usage(
        model=life.model,
        filed=now,
        threshold=threshold,
        rows=suppress(rows, threshold, earlier),
    )


def file_usage(
    registry: Registry, model: ModelId, data: bytes, threshold: int = THRESHOLD
) -> Usage:
    """Hide the small counts of a usage file and keep the rest; the same again changes nothing.

    The file itself is not kept, nor its digest: few numbers can be found by trying all.
    """
    usage = usage_record(registry, model, data, threshold)
    return _file(registry, USAGE, usage, "usage")


def incidents_record(registry: Registry, model: ModelId, data: bytes) -> Incidents:
    """Return what `file_incidents` would file; raise UnknownModel, BadInput."""
    life, now = registry.model(model), registry.now()
    found = read_incidents(data, life.surfaces, now[:10])
    return Incidents(model=life.model, filed=now, incidents=found)


def file_incidents(registry: Registry, model: ModelId, data: bytes) -> Incidents:
    """Keep a file of incidents, all of them so far; the same again changes nothing."""
    incidents = incidents_record(registry, model, data)
    return _file(registry, INCIDENTS, incidents, "incidents")


def latest(registry: Registry, model: ModelId, type: str, kind: type[R]) -> tuple[str, R] | None:  # noqa: A002 - as Registry.find
    """Return the path and the record of the newest filing of one type, if there is one."""
    logged = registry.find(type, model)
    if not logged:
        return None
    path = str(logged[-1].body["path"])
    return path, registry.filed(model, path, kind)


def _filed(registry: Registry, life: ModelLife, type: str, kind: type[R]) -> Sequence[R]:  # noqa: A002 - as Registry.find
    logged = registry.find(type, life.model)
    return [registry.filed(life.model, str(entry.body["path"]), kind) for entry in logged]


def _file(registry: Registry, type: str, record: F, folder: str) -> F:  # noqa: A002 - as Registry.find
    """File *record* under the next number, unless the newest one says the same."""
    kind = record.__class__
    there = latest(registry, record.model, type, kind)
    if there is not None and replace(there[1], filed=record.filed) == record:
        return there[1]
    path = f"{folder}/{len(registry.find(type, record.model)) + 1}.json"
    return registry.file(type, record.model, path, kind, lambda: record)
