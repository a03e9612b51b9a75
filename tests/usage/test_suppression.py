from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadInput
from otium.records import Instant, ModelId
from otium.usage import Counted, Measure, Row, Usage, suppress

SMALLEST = 3
LARGEST = 7
"""The attacker below tries every table of numbers up to this, so it is low."""


def row(region: str, period: str = "2026-01", /, **counts: int) -> Counted:
    known: dict[Measure, int] = counts  # type: ignore[assignment]
    return Counted(period=period, surface="api", region=region, counts=known)


def usage(rows: Iterable[Row], threshold: int = SMALLEST) -> Usage:
    return Usage(
        model=ModelId("alder-1"),
        filed=Instant("2026-02-01T00:00:00Z"),
        threshold=threshold,
        rows=tuple(rows),
    )


def shown(rows: Sequence[Row], name: Measure = "requests") -> dict[str, object]:
    return {it.region or "all": it.counts[name] for it in rows if name in it.counts}


def tables(regions: str) -> list[list[Counted]]:
    """Return every table of these regions with its true sum."""
    return [
        [
            row("", requests=sum(values)),
            *(row(region, requests=value) for region, value in zip(regions, values, strict=True)),
        ]
        for values in product(range(LARGEST + 1), repeat=len(regions))
    ]


Look = tuple[bytes, ...]
"""All that was published, as bytes."""


def look(*records: Sequence[Row]) -> Look:
    return tuple(usage(rows).encode() for rows in records)


def check_nothing_is_learned(published: dict[Look, list[list[Counted]]]) -> None:
    """Fail if who knows the rules, and all that they show, can narrow a small count down.

    The attacker has tried every table, and keeps those that would have looked the same.
    """
    found = 0
    for seen, could_be in published.items():
        for place, it in enumerate(Usage.decode(seen[-1]).rows):
            if it.counts["requests"] == "small":
                values = {table[place].counts["requests"] for table in could_be}
                assert values == set(range(SMALLEST)), seen
                found += 1
    assert found


@pytest.mark.parametrize("regions", ["a", "ab", "abc"])
def test_no_sum_gives_a_small_count_away_to_who_knows_the_rules(regions: str) -> None:
    published: dict[Look, list[list[Counted]]] = {}
    for table in tables(regions):
        published.setdefault(look(suppress(table, SMALLEST)), []).append(table)
    check_nothing_is_learned(published)


def test_two_records_subtracted_from_each_other_give_nothing_away() -> None:
    published: dict[Look, list[list[Counted]]] = {}
    for one, two, more in product(range(LARGEST + 1), repeat=3):
        old = [row("a", requests=one), row("b", requests=two)]
        new = [row("", requests=one + two + more), *old, row("c", requests=more)]
        first = suppress(old, SMALLEST)
        second = suppress(new, SMALLEST, [usage(first)])
        published.setdefault(look(first, second), []).append(new)
    check_nothing_is_learned(published)


def test_the_attacker_finds_a_small_count_where_nothing_protects_it() -> None:
    published: dict[Look, list[list[Counted]]] = {}
    for table in tables("ab"):
        bare = [Row(**{**it.plain(), "counts": {"requests": _bare(it)}}) for it in table]  # type: ignore[arg-type]
        published.setdefault(look(bare), []).append(table)
    with pytest.raises(AssertionError):
        check_nothing_is_learned(published)


def _bare(it: Counted) -> int | str:
    count = it.counts["requests"]
    return count if count >= SMALLEST else "small"


def test_a_hidden_part_hides_the_sum_and_no_other_part() -> None:
    rows = suppress([row("", requests=107), row("eu", requests=7), row("us", requests=100)])
    assert shown(rows) == {"all": "covered", "eu": "small", "us": 100}


def test_without_a_sum_only_small_counts_go() -> None:
    rows = suppress([row("eu", requests=9), row("us", requests=10), row("jp", requests=0)])
    assert shown(rows) == {"eu": "small", "us": 10, "jp": "small"}


def test_what_few_people_did_is_hidden_however_much_it_was() -> None:
    rows = suppress([row("eu", users=3, requests=90_000, tokens=7_000_000), row("us", users=50)])
    assert rows[0].counts == {"users": "small", "requests": "covered", "tokens": "covered"}


def test_a_sum_that_is_hidden_for_its_few_users_is_not_added_up_from_its_parts() -> None:
    rows = suppress(
        [row("", users=4, requests=300), row("eu", requests=100), row("us", requests=200)]
    )
    assert shown(rows) == {"all": "covered", "eu": "covered", "us": "covered"}


def test_each_measure_is_protected_by_itself() -> None:
    rows = suppress(
        [
            row("", requests=300, complaints=14),
            row("eu", requests=100, complaints=2),
            row("us", requests=200, complaints=12),
        ]
    )
    assert shown(rows) == {"all": 300, "eu": 100, "us": 200}
    assert shown(rows, "complaints") == {"all": "covered", "eu": "small", "us": 12}


def test_what_was_hidden_once_stays_hidden() -> None:
    first = suppress([row("", requests=107), row("eu", requests=7), row("us", requests=100)])
    later = [row("", requests=900), row("eu", requests=800), row("us", requests=100)]
    again = suppress(later, earlier=[usage(first, 10)])
    assert shown(again) == {"all": "covered", "eu": "covered", "us": 100}


def test_a_sum_that_was_shown_keeps_later_small_parts_out() -> None:
    first = suppress([row("", requests=108)])
    split = [row("", requests=108), row("eu", requests=8), row("us", requests=100)]
    with pytest.raises(BadInput, match="shown before"):
        suppress(split, earlier=[usage(first, 10)])


def test_rows_do_not_vanish_and_the_threshold_does_not_fall() -> None:
    first = usage(suppress([row("eu", requests=7), row("us", requests=100)]), 10)
    with pytest.raises(BadInput, match="hand in all rows"):
        suppress([row("us", requests=100)], earlier=[first])
    with pytest.raises(BadInput, match="can only rise"):
        suppress([row("eu", requests=7), row("us", requests=100)], 5, [first])
    with pytest.raises(BadInput, match="hides nobody"):
        suppress([row("eu", requests=7)], 1)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(2, 20))
def test_no_number_below_the_threshold_is_ever_shown(values: list[int], threshold: int) -> None:
    rows = [row(f"r{n}", requests=value) for n, value in enumerate(values)]
    looks = shown(suppress([row("", requests=sum(values)), *rows], threshold))
    assert not [it for it in looks.values() if isinstance(it, int) and it < threshold]
    assert all(looks[f"r{n}"] == v for n, v in enumerate(values) if v >= threshold)
