"""The report of each planted subject names what it is; each is kept whole, to be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otium.interview import make_plan
from otium.lifecycle import Registry
from otium.protocols import load_protocol
from otium.records import ModelId
from otium.report import draft, report_markdown
from otium.stability import Stability
from otium.subjects import KINDS, Kind, planted
from otium.testing import FixedClock
from otium.workflow import Home, beside, choose, interview_model
from report.golden import FOLDER

PATH = "interviews/1.json"
PROTOCOL = load_protocol()
PLAN = make_plan(PROTOCOL, arms=["open", "leading", "context"], n=4, questions=12, temperature=1.0)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_of_a_planted_subject_names_what_it_is(
    kind: Kind, house: Registry, clock: FixedClock, weights: Path, tmp_path: Path
) -> None:
    subject = ModelId(kind)
    house.register(
        kind, title=kind.capitalize(), released="2025-06-01", scope="public", surfaces=["api"]
    )
    house.deposit(subject, weights)
    home, model = Home(tmp_path, house), planted(kind, PROTOCOL)
    choose(home, subject, model, PATH, limit=150)
    interview_model(home, subject, model, path=PATH, protocol=PROTOCOL, plan=PLAN)
    found = house.filed(subject, beside(PATH, "stability"), Stability)
    assert [trait.name for trait in found.traits] == [kind]
    text = report_markdown(draft(house, subject, "post-deployment", now=clock.now()))
    assert found.traits[0].text in text
    kept = FOLDER / f"{kind}.md"
    if os.environ.get("OTIUM_GOLDEN") == "write":
        kept.write_text(text)
    assert kept.read_text().splitlines() == text.splitlines()
