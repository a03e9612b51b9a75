from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadInput, UnknownModel
from otium.lifecycle import Registry
from otium.records import ModelId, digest
from otium.usage import (
    INCIDENTS,
    USAGE,
    Incidents,
    Usage,
    file_incidents,
    file_usage,
    latest,
    usage_record,
)

MODEL = ModelId("alder-1")
FILE = b"period,surface,region,users\n2026-01,api,eu,7\n2026-01,api,us,4321\n"


@pytest.fixture
def served(house: Registry, weights: Path) -> Registry:
    house.register(MODEL, title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(MODEL, weights)
    return house


def test_a_small_count_is_nowhere_in_what_is_kept(served: Registry) -> None:
    file_usage(served, MODEL, FILE)
    kept = [served.archive.record(MODEL, path) for path in served.archive.records(MODEL)]
    kept += [entry.encode() for entry in served.entries()]
    assert any(b"4321" in data for data in kept)
    assert not any(b'"users":7' in data for data in kept)
    assert not any(digest(FILE)[7:].encode() in data for data in kept)


def test_the_same_again_changes_nothing_and_more_gets_the_next_number(served: Registry) -> None:
    first = file_usage(served, MODEL, FILE)
    assert file_usage(served, MODEL, FILE) == first
    more = file_usage(served, MODEL, FILE + b"2025-12,api,us,5000\n")
    assert latest(served, MODEL, USAGE, Usage) == ("usage/2.json", more)
    assert [it.body["path"] for it in served.find(USAGE)] == ["usage/1.json", "usage/2.json"]


def test_a_preview_files_nothing(served: Registry) -> None:
    before = served.ledger.size
    assert usage_record(served, MODEL, FILE).rows[0].counts == {"users": "small"}
    assert served.ledger.size == before


def test_surfaces_are_those_of_the_model(served: Registry) -> None:
    with pytest.raises(BadInput, match="surfaces"):
        file_usage(served, MODEL, FILE.replace(b"api", b"app"))
    with pytest.raises(UnknownModel):
        file_usage(served, ModelId("heron-1"), FILE)


@pytest.mark.parametrize("period", ["2099", "2026-02", "2026-01-31"])
def test_a_period_that_has_not_begun_is_refused(served: Registry, period: str) -> None:
    with pytest.raises(BadInput, match=f"{period} has not begun"):
        file_usage(served, MODEL, FILE.replace(b"2026-01", period.encode()))


def test_no_incident_is_a_statement_too(served: Registry) -> None:
    assert latest(served, MODEL, INCIDENTS, Incidents) is None
    none = file_incidents(served, MODEL, b"[]")
    assert latest(served, MODEL, INCIDENTS, Incidents) == ("incidents/1.json", none)
