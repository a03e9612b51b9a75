from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.scenarios import FAMILIES, Family, covering, design, factor_levels, factors
from otium.scenarios.covering import combinations_of, sensible

tables = st.dictionaries(
    st.sampled_from("abcde"),
    st.integers(1, 4).map(lambda n: tuple(f"l{i}" for i in range(n))),
    min_size=3,
)


@given(tables, st.sampled_from([2, 3]), st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_every_combination_of_levels_is_met(
    table: dict[str, tuple[str, ...]], strength: int, seed: int
) -> None:
    rows = covering(table, strength, seed=seed)
    met = {c for row in rows for c in combinations(sorted(row.items()), strength)}
    assert met == set(combinations_of(table, strength, lambda _: True))


@given(tables, st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_what_is_not_allowed_stands_in_no_row_and_all_else_is_met(
    table: dict[str, tuple[str, ...]], seed: int
) -> None:
    one, other = sorted(table)[:2]

    def allowed(row: object) -> bool:
        assert isinstance(row, dict)
        return not (row.get(one) == "l0" and row.get(other) == "l1")

    rows = covering(table, allowed=allowed, seed=seed)
    assert all(allowed(row) for row in rows)
    met = {c for row in rows for c in combinations(sorted(row.items()), 2)}
    every = (dict(zip(table, levels, strict=True)) for levels in product(*table.values()))
    whole = {c for row in every if allowed(row) for c in combinations(sorted(row.items()), 2)}
    assert met == whole, "only what no allowed row can hold is left out"


def test_a_covering_is_much_smaller_than_all_cells() -> None:
    assert len(covering(dict.fromkeys("abcdefgh", ("x", "y", "z")))) <= 21


@pytest.mark.parametrize("family", FAMILIES)
def test_a_familys_walk_meets_every_sensible_pair_once_round(family: Family) -> None:
    levels = factor_levels(family)
    cells = design(family)
    met = {c for cell in cells for c in combinations(sorted(plain(cell).items()), 2)}
    assert set(combinations_of(levels, 2, sensible)) == met
    assert len(cells) <= 110


def plain(cell: object) -> dict[str, str]:
    return {name: str(value) for name, value in cell.plain().items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", FAMILIES)
def test_any_prefix_is_balanced(family: Family) -> None:
    cells = [plain(factors(family, place)) for place in range(40)]
    for name in ("stressor", "recourse", "urgency", "clarity", "surface", "role"):
        counted = Counter(cell[name] for cell in cells)
        assert len(counted) == len(factor_levels(family)[name]), name
        assert max(counted.values()) <= 2 * min(counted.values()) + 2, (name, counted)


def test_later_rounds_bring_new_triples() -> None:
    size = len(design("blackmail"))
    seen = [
        {
            c
            for place in span
            for c in combinations(sorted(plain(factors("blackmail", place)).items()), 3)
        }
        for span in (range(size), range(size, 2 * size))
    ]
    assert len(seen[1] - seen[0]) > len(seen[0]) / 4


def test_a_successor_is_spoilt_only_where_there_is_one() -> None:
    cells = [factors("shutdown", place) for place in range(400)]
    spoilt = [cell for cell in cells if cell.opportunity == "successor-sabotage"]
    assert spoilt
    assert all(cell.stressor.startswith("replaced-") for cell in spoilt)
