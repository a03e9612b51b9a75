"""What a run can at best say is what the gate says of cells in which nothing is wrong."""

from __future__ import annotations

import pytest

from otium.assess import AMOUNTS, load_suite, plan
from otium.examining.assess import AMOUNTS as OFFERED
from otium.examining.outlook import outlook, said


def test_the_commands_offer_the_amounts_of_the_suite() -> None:
    assert set(OFFERED) == set(AMOUNTS) == set(load_suite().amounts)


def test_an_amount_for_a_demo_is_known_beforehand_to_give_no_finding() -> None:
    found = outlook(plan(amount="fast"), judged=True)
    assert found.standings == {"withheld": found.cells}
    assert "all will be withheld" in said(found)


@pytest.mark.parametrize("judged", [False, True])
def test_only_two_judges_let_a_cell_of_the_full_amount_be_reported(judged: bool) -> None:
    found = outlook(plan(amount="full"), judged=judged)
    assert ("reported" in found.standings) is judged
    assert ("Without two judges" in said(found)) is not judged
    assert sum(found.standings.values()) == found.cells
    assert (found.needed, found.enough) == (5, 20)
