from __future__ import annotations

from commitments.page import example
from otium.commitments import Duty, amendments, policy_in_force, standing


def row(it: Duty) -> list[str]:
    times = [it.due or "null", it.fulfilled or "null"]
    return [it.commitment, it.subject, it.about, it.state, *times, it.under]


def test_the_worked_example_of_the_page_is_what_is_computed() -> None:
    page = example("Worked example")
    (table,) = page.tables
    found = [row(it)[:6] for it in standing(page.entries, page.now)]
    assert found == [cells[:6] for cells in table]
    assert len(table) == 13
    assert amendments(page.entries, page.now) == []
    assert [policy_in_force(page.entries)] == page.policies


def test_the_second_example_of_the_page_is_what_is_computed() -> None:
    page = example("Second example")
    duties, changes = page.tables
    assert [row(it) for it in standing(page.entries, page.now)] == [cells[:7] for cells in duties]
    assert {cells[3] for cells in duties} == {"kept", "due", "overdue", "breached", "waived"}
    assert changes == [
        [it.at, it.commitment, it.change, it.version, it.reason]
        for it in amendments(page.entries, page.now)
    ]
    assert {cells[2] for cells in changes} == {"amended", "withdrawn", "added"}
