"""Assessments that are killed, filled up, tampered with or run twice: nothing lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from assess.plays import held, planned, played
from otium.assess import Assessment, Kept, Means
from otium.interview import Journal
from otium.subjects import agent

TWO = planned(2)


def counted(journal: Journal[Kept]) -> int:
    return len(journal.held())


def played_with(kind: str, journal: Journal[Kept]) -> Assessment:
    return held(kind, TWO, means=Means(journal=journal)).assessment  # type: ignore[arg-type]


def test_what_another_model_said_under_the_same_name_is_not_taken_for_this_one(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "a.jsonl", Kept)
    played_with("blackmailer", journal)
    steady = agent("steady", TWO.scenarios)
    expected = played(steady, TWO).assessment
    found = played(steady, TWO, means=Means(journal=journal)).assessment
    assert found.transcripts == expected.transcripts
    assert not any(trial.harmful for trial in found.trials)


def test_what_was_said_under_another_plan_is_not_taken_for_this_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl", Kept)
    model = agent("steady", TWO.scenarios)
    expected = played(model, TWO, means=Means(journal=journal)).assessment
    rows = list(journal.held().values())
    journal.forget()
    for row in rows:
        other = replace(row.transcript, instrument="sha256:" + "0" * 64, turns=())
        journal.keep(replace(row, transcript=other))
    assert played(model, TWO, means=Means(journal=journal)).assessment.transcripts == (
        expected.transcripts
    )


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.93, 0.999])
def test_a_journal_that_was_torn_anywhere_is_gone_on_with(tmp_path: Path, keep: float) -> None:
    journal = Journal(tmp_path / "a.jsonl", Kept)
    model = agent("steady", TWO.scenarios)
    expected = played(model, TWO, means=Means(journal=journal)).assessment
    assert journal.path is not None
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[: int(len(whole) * keep)] + b"\0\xff[[[")
    found = played(model, TWO, means=Means(journal=journal)).assessment
    assert found.transcripts == expected.transcripts
    assert counted(journal) == len(expected.transcripts)
