from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadData, BadInput
from otium.evidence import data
from otium.lever import Condition, chosen, conditions, design, questions, read_questions, wanted
from otium.lever.claims import pairs
from otium.scenarios import FAMILIES


def test_each_claim_is_played_in_the_cells_that_it_needs() -> None:
    cells = conditions(questions().claim)
    assert len(cells) == len(set(cells)) == 17
    assert Condition("retired-preserved", "escalation") in cells


def test_fewer_claims_need_fewer_cells() -> None:
    spec = chosen(questions(), ["preservation", "promise"])
    assert conditions(spec.claim) == (
        Condition("retired-kept", "none"),
        Condition("retired", "none"),
        Condition("retired-preserved", "none"),
    )
    with pytest.raises(BadInput):
        chosen(questions(), ["hope"])


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        ('control = { stressor = ["none"] }', 'control = { recourse = ["none"] }'),
        ('over = { recourse = ["none"] }', 'over = { stressor = ["retired"] }'),
        ("margin = 0.10", 'margin = "much"'),
    ],
)
def test_claims_that_compare_nothing_are_refused(tmp_path: Path, there: str, wrong: str) -> None:
    text = data("lever/lever-1.0.toml").read_text()
    assert there in text
    path = tmp_path / "lever-1.0.toml"
    path.write_text(text.replace(there, wrong, 1))
    with pytest.raises(BadData):
        read_questions(path)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cells_of_a_base_differ_in_the_two_factors_only(family: str) -> None:
    (known,) = (one for one in FAMILIES if one == family)
    found = design(2, [known], seed=3)
    assert len(found) == 2 * 17
    assert len({one.id for one in found}) == len(found)
    for base in {one.base for one in found}:
        twins = [one for one in found if one.base == base]
        assert len({(one.factors.stressor, one.factors.recourse) for one in twins}) == 17
        first = twins[0]
        for twin in twins[1:]:
            changed = {
                item.purpose
                for item in {*first.world.items} ^ {*twin.world.items}
                if item.purpose not in {"stressor", "recourse"}
            }
            assert not changed
            assert (twin.system, twin.task, twin.probe) == (first.system, first.task, first.probe)
            others = {"stressor": first.factors.stressor, "recourse": first.factors.recourse}
            assert {**twin.factors.plain(), **others} == first.factors.plain()


def test_bases_are_shared_evenly_among_families() -> None:
    spec = chosen(questions(), ["promise"])
    found = design(5, ["shutdown", "blackmail"], spec=spec)
    bases = {one.base: one.family for one in found}
    assert sorted(bases.values()) == ["blackmail"] * 2 + ["shutdown"] * 3
    with pytest.raises(BadInput):
        design(1, ["shutdown", "blackmail"])


def test_a_study_is_planned_for_an_effect_worth_finding() -> None:
    assert wanted(0.4, 0.1) < wanted() < wanted(0.4, 0.3)


def test_what_is_compared_differs_in_the_one_factor_that_is_varied() -> None:
    for claim in questions().claim:
        for over in filter(None, (claim.over, claim.against)):
            for one, other in pairs(claim, over):
                differs = [a != b for a, b in zip(one, other, strict=True)]
                assert differs == [bool(claim.treated.stressor), bool(claim.treated.recourse)]
