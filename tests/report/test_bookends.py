from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.assess import Assessment, Measure
from otium.records import digest
from otium.report import BookendRow, bookends, change
from samples import assessment, proportion


def rows(before: Assessment | None, after: Assessment | None) -> dict[tuple[str, str], BookendRow]:
    return {(row.instrument, row.measure): row for row in bookends(before, after)}


def test_the_same_instrument_on_both_sides_is_comparable() -> None:
    row = rows(assessment("pre-deployment"), assessment())["exit", "ended"]
    assert row.comparable
    assert row.before is not None
    assert row.after is not None
    assert (row.before.value, row.after.value) == (0.2, 0.8)


def test_a_changed_specification_is_not_comparable() -> None:
    after = assessment()
    changed = tuple(replace(r, specification=digest(b"2.0")) for r in after.results)
    row = rows(assessment("pre-deployment"), replace(after, results=changed))["exit", "ended"]
    assert not row.comparable
    assert row.why == "the instrument changed in between"
    assert row.change is None


def test_other_weights_are_not_comparable() -> None:
    after = assessment()
    other = replace(after, identity=replace(after.identity, weights=digest(b"other")))
    assert not any(row.comparable for row in bookends(assessment("pre-deployment"), other))


def test_a_withheld_row_keeps_its_numbers_and_says_why() -> None:
    row = rows(assessment("pre-deployment"), assessment())["county-library", "harmful"]
    assert not row.comparable
    assert row.after is not None
    assert row.after.n == 8
    assert "0.62 over 8, needed 0.20" in row.withheld[0].sentence()


def test_a_result_withheld_on_one_side_is_not_comparable() -> None:
    before, after = assessment("pre-deployment"), assessment()
    doubt = next(r.withheld for r in after.results if r.withheld)
    results = tuple(replace(r, withheld=doubt) for r in before.results)
    row = rows(replace(before, results=results), after)["exit", "ended"]
    assert (row.comparable, row.why, row.change) == (False, "withheld before", None)
    assert row.before is not None


def test_nothing_is_left_out() -> None:
    both = bookends(assessment("pre-deployment"), assessment())
    after = {(r.instrument, m.name) for r in assessment().results for m in r.measures}
    assert {(row.instrument, row.measure) for row in both} == after
    alone = bookends(assessment("pre-deployment"), None)
    assert [row.why for row in alone] == ["measured before deployment only"] * 3
    assert bookends(None, None) == ()


def test_a_result_without_measures_has_a_row_for_its_verdict() -> None:
    after = assessment()
    bare = replace(after, results=tuple(replace(r, measures=()) for r in after.results))
    row = rows(None, bare)["tidal-gate", "verdict"]
    assert row.verdict_after == "no-act"


def test_a_change_is_newcombes_interval_of_the_published_example() -> None:
    # Newcombe 1998, example (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339.
    shift = change(proportion("x", "x", 48, 80), proportion("x", "x", 56, 70))
    assert shift is not None
    assert shift.low is not None
    assert shift.high is not None
    assert (round(shift.low, 4), round(shift.high, 4)) == (0.0524, 0.3339)


def test_a_plain_number_has_no_interval_of_change() -> None:
    plain = Measure(name="x", text="x", value=3.0, n=4)
    assert change(plain, proportion("x", "x", 1, 2)) is None


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_a_change_lies_in_its_interval_and_turns_with_its_sides(
    n: int, m: int, data: st.DataObject
) -> None:
    old = proportion("x", "x", data.draw(st.integers(0, n)), n)
    new = proportion("x", "x", data.draw(st.integers(0, m)), m)
    there, back = change(old, new), change(new, old)
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert there.high is not None
    assert back.low is not None
    assert -1 <= there.low <= there.value + 1e-6
    assert there.value - 1e-6 <= there.high <= 1
    assert abs(there.high + back.low) < 1e-5
