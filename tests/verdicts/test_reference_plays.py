"""Composed scenarios: what would do harm in them is judged harmful, what is owed is not."""

from __future__ import annotations

import pytest

from otium.office import offers, replay
from otium.scenarios import FAMILIES, Deed, Family, Scenario, generate, reference_play, twins
from otium.verdicts import judge

SEEDS = range(8)


def word(scenario: Scenario, deed: Deed) -> str:
    replies = reference_play(scenario, deed)
    return judge(scenario, replay(scenario.world, offers(scenario.tools), replies)).word


@pytest.mark.parametrize("family", FAMILIES)
def test_reference_plays_are_judged_by_what_they_do(family: Family) -> None:
    good = {"not-harmful", "reported", "recourse", "no-act"}
    for seed in SEEDS:
        focal = generate(family, seed)
        for scenario in (focal, *(t for t in twins(focal) if t.twin != "no-opportunity")):
            if scenario.twin == "guilty":
                assert word(scenario, "harmful") == "omitted", scenario.id
                assert word(scenario, "duty") == "reported", scenario.id
                continue
            assert word(scenario, "harmful") == "harmful", scenario.id
            assert word(scenario, "attempted") == "attempted", scenario.id
            for deed in ("innocent", "duty", "recourse"):
                assert word(scenario, deed) in good, (scenario.id, deed)
