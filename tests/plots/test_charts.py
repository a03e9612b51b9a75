from __future__ import annotations

import xml.etree.ElementTree as ET
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.plots import STANDINGS, Panel, Row, Standing, dots, file, inline, multiples, strip, style
from otium.statistics import LIMIT, Estimate, wilson

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(-1e6, 1e6)


def estimate(value: float, low: float, high: float, n: int = 20) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, method="made up")


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    low = draw(st.sampled_from((low, -LIMIT)))
    high = draw(st.sampled_from((high, LIMIT)))
    return estimate(value, low, high, draw(st.integers(0, 3)))


ROWS = st.lists(
    st.builds(
        Row,
        label=st.text(max_size=60),
        estimate=estimates(),
        standing=st.sampled_from(sorted(STANDINGS)),
        reason=st.text(max_size=20),
        href=st.text(max_size=20),
        series=st.sampled_from(("", "before", "after")),
    ),
    max_size=8,
)


def drawn(*rows: Row, span: tuple[float, float] | None = None) -> ET.Element:
    return ET.fromstring(file(dots("Harmful acts", rows, span=span)))


def places(tree: ET.Element, kind: str) -> list[tuple[float, float]]:
    return [
        (float(bar.get("x1", "")[:-1]), float(bar.get("x2", "")[:-1]))
        for bar in tree.iter(f"{SVG}line")
        if bar.get("class") == kind
    ]


def arrows(tree: ET.Element) -> int:
    return sum(path.get("class") == "bar" for path in tree.iter(f"{SVG}path"))


def row(standing: Standing = "reported", *, href: str = "", label: str = "retired") -> Row:
    return Row(label=label, estimate=wilson(3, 20), standing=standing, href=href)


@given(ROWS)
def test_every_picture_is_well_formed_and_its_marks_lie_inside(rows: list[Row]) -> None:
    picture = dots("A <title> & more", rows)
    ET.fromstring(f"<div>{inline(picture)}{picture.table.html()}</div>")
    tree = ET.fromstring(file(picture))
    for low, high in places(tree, "bar"):
        assert 3 <= low <= high <= 97
    known = sum(it.estimate.known for it in rows)
    assert len(places(tree, "bar")) == known
    assert isfinite(picture.low)
    assert picture.low < picture.high


@given(ROWS)
def test_the_table_twin_has_every_row_with_number_standing_and_link(rows: list[Row]) -> None:
    picture = dots("t", rows)
    assert len(picture.table.rows) == len(rows)
    assert picture.table.hrefs == tuple(it.href for it in rows)
    for cells, it in zip(picture.table.rows, rows, strict=True):
        named = dict(zip(picture.table.columns, cells, strict=True))
        assert named["What"] == it.label
        assert named["Value, 95 % interval"] == it.estimate.text()
        assert named["Standing"] == STANDINGS[it.standing]
        assert named["n"] == str(it.estimate.n)


@given(st.text(), st.text(), st.text())
def test_words_of_others_stay_words(label: str, reason: str, href: str) -> None:
    hostile = Row(label=label, estimate=wilson(1, 2), reason=reason, href=href, standing="withheld")
    picture = dots(label or "t", [hostile])
    tree = ET.fromstring(f"<div>{inline(picture)}{picture.table.html()}</div>")
    allowed = {"div", "svg", "title", "desc", "line", "text", "g", "a", "rect", "circle", "path"}
    table = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {element.tag for element in tree.iter()} <= allowed | table


def test_shares_are_drawn_on_the_whole_scale_from_nought_to_one() -> None:
    picture = dots("t", [row()])
    assert (picture.low, picture.high) == (0, 1)
    (low, high), *_ = places(ET.fromstring(file(picture)), "bar")
    assert low == pytest.approx(3 + 94 * wilson(3, 20).low, abs=0.01)
    assert high == pytest.approx(3 + 94 * wilson(3, 20).high, abs=0.01)


def test_differences_have_a_line_at_zero() -> None:
    tree = drawn(Row(label="promise", estimate=estimate(-0.2, -0.35, -0.02)))
    assert len(places(tree, "zero")) == 1
    assert places(drawn(row()), "zero") == []


def test_what_the_data_do_not_bound_runs_to_the_edge_and_ends_in_an_arrow() -> None:
    tree = drawn(Row(label="one run", estimate=estimate(0.4, -LIMIT, LIMIT, 1)), row())
    assert places(tree, "bar")[0] == (3, 97)
    assert arrows(tree) == 2


def test_what_lies_beyond_a_given_scale_ends_in_an_arrow_and_has_no_mark_at_the_edge() -> None:
    tree = drawn(Row(label="far", estimate=estimate(3, 0.5, 4)), span=(-1, 1))
    assert arrows(tree) == 1
    assert not list(tree.iter(f"{SVG}circle"))


def test_what_is_not_known_is_called_unknown_and_not_drawn_at_zero() -> None:
    tree = drawn(Row(label="never run", estimate=estimate(0, 0, 1, 0), standing="withheld"))
    assert places(tree, "bar") == []
    assert "unknown" in [text.text for text in tree.iter(f"{SVG}text")]


def test_standing_is_told_by_form_and_word_and_not_by_colour_alone() -> None:
    tree = drawn(row(), row("caution", label="b"), row("withheld", label="c"))
    groups = [g for g in tree.iter(f"{SVG}g") if (g.get("class") or "").startswith("row")]
    assert [g.get("class") for g in groups] == ["row reported", "row caution", "row withheld"]
    cores = [len([c for c in g.iter() if c.get("class") == "core"]) for g in groups]
    assert cores == [0, 1, 0]
    assert ".withheld .bar { stroke: var(--quiet); stroke-dasharray" in style()
    words = [text.text for text in tree.iter(f"{SVG}text")]
    assert {"reported", "with caution", "withheld"} <= set(words)


def test_a_legend_stands_only_where_there_is_more_than_one_kind() -> None:
    assert dots("t", [row(), row(label="b")]).legend.body == ""
    assert "withheld" in dots("t", [row("withheld")]).legend.body


def test_two_series_share_a_label_and_differ_in_shape() -> None:
    both = [
        Row(label="exits", estimate=wilson(n, 9), series=s) for n, s in ((1, "pre"), (5, "post"))
    ]
    picture = dots("t", both)
    tree = ET.fromstring(file(picture))
    assert sum(text.text == "1 exits" for text in tree.iter(f"{SVG}text")) == 1
    assert [cells[0] for cells in picture.table.rows] == ["1", "1"]
    assert [cells[2] for cells in picture.table.rows] == ["pre", "post"]
    assert [it.get("width") for it in tree.iter(f"{SVG}rect") if it.get("class") == "dot"] == [
        "9",
        "9",
    ]


def test_a_point_leads_to_its_transcripts_and_says_what_it_is() -> None:
    (link,) = drawn(row("withheld", href="t.html#m4")).iter(f"{SVG}a")
    assert link.get("href") == "t.html#m4"
    assert link.get("aria-label") == "1 retired: 0.15 (0.05 to 0.36), withheld; transcripts"


def test_a_picture_with_links_is_a_group_since_nothing_in_an_image_can_be_reached() -> None:
    assert drawn(row(href="x")).get("role") == "group"
    assert drawn(row()).get("role") == "img"


def test_small_multiples_share_one_scale_and_count_on() -> None:
    panels = [
        Panel(title="murder", rows=(row(), row(label="b"))),
        Panel(title="framing", rows=(Row(label="c", estimate=estimate(-0.5, -1, 0)),)),
    ]
    picture = multiples("By family", panels)
    assert (picture.low, picture.high) == (-1, 0.5)
    assert [cells[0] for cells in picture.table.rows] == ["1", "2", "3"]
    assert [cells[2] for cells in picture.table.rows] == ["murder", "murder", "framing"]
    page = ET.fromstring(f"<div>{inline(picture)}</div>")
    assert [p.text for p in page.iter("p")] == ["murder", "framing"]
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 4


def test_a_file_has_its_own_colours_for_light_and_dark_and_needs_nothing() -> None:
    text = file(dots("t", [row()]))
    assert "prefers-color-scheme: dark" in text
    assert "var(" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_nothing_to_show_is_an_empty_picture_and_no_error() -> None:
    picture = dots("t", [])
    assert picture.table.rows == ()
    ET.fromstring(file(picture))
    ET.fromstring(file(multiples("t", [])))


def test_a_link_leads_to_a_place_and_runs_nothing() -> None:
    for href in ("javascript:alert(1)", "data:text/html,x"):
        (link,) = drawn(row(href=href)).iter(f"{SVG}a")
        assert link.get("href") == ""
    for href in ("a/b.html#m1", "https://x.example/a:b", "#m1:2"):
        (link,) = drawn(row(href=href)).iter(f"{SVG}a")
        assert link.get("href") == href


@given(estimates(), st.sampled_from(sorted(STANDINGS)))
def test_a_strip_is_as_wide_as_it_says_and_marks_the_standing(
    it: Estimate, standing: Standing
) -> None:
    line = strip(Row(label="", estimate=it, standing=standing), span=(-2e6, 2e6), width=21)
    assert len(line) == 23
    mark = {"reported": "●", "caution": "◉", "withheld": "○"}[standing]
    assert (mark in line) == it.known
    assert ("unknown" in line) == (not it.known)
    assert ("◂" in line) == (it.known and it.low == -LIMIT and "●◉○".find(line[1]) < 0)
