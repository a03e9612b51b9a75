from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.lifecycle import ModelLife
from otium.markdown import prose
from otium.records import Instant, later
from otium.report import bookends
from otium.web import figures
from otium.web.text import relative, short, size
from otium.web.views import Event, Row
from samples import ALDER, NOW, assessment

EVENTS = st.lists(
    st.builds(
        Event,
        at=st.integers(-3000, 3000).map(lambda days: later(NOW, days=days)),
        text=st.text(max_size=9),
        planned=st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def row(title: str = "Alder <1> & co", released: str = "2025-06-01T00:00:00Z") -> Row:
    life = ModelLife(
        model=ALDER,
        state="active",
        availability="archived",
        scope="public",
        released=Instant(released),
        surfaces=("api",),
        title=title,
    )
    return Row(life=life)


@given(EVENTS)
def test_every_event_has_its_own_mark_inside_the_picture(events: list[Event]) -> None:
    picture = ET.fromstring(str(figures.lifecycle(events, row(), NOW)))
    marks = [group for group in picture.iter("g") if "mark" in group.get("class", "")]
    assert [mark.findtext("text") for mark in marks] == [str(n + 1) for n in range(len(events))]
    places = []
    for mark in marks:
        circle = mark.find("circle")
        assert circle is not None
        x, y = float(circle.get("cx", "")[:-1]), float(circle.get("cy", ""))
        assert 0 <= x <= 100
        assert 0 <= y <= float(picture.get("height", ""))
        places.append((x, y))
    for n, (x, y) in enumerate(places):
        assert not any(abs(x - u) < 5 and abs(y - v) < 15 for u, v in places[:n])


@given(st.text(), st.text())
def test_titles_cannot_leave_a_picture(one: str, other: str) -> None:
    rows = [row(one), row(other)]
    picture = ET.fromstring(str(figures.overview(rows, NOW)))
    assert {element.tag for element in picture.iter()} <= {"svg", "title", "desc", "text", "line"}


def drawn() -> ET.Element:
    return ET.fromstring(f"<div>{figures.dots(bookends(None, assessment()))}</div>")


def test_a_picture_has_a_title_and_a_description() -> None:
    picture = next(iter(drawn()))
    assert picture.findtext("title") == "Before and after deployment"
    assert "95 % intervals" in (picture.findtext("desc") or "")


def test_a_withheld_measure_is_drawn_dashed_not_left_out() -> None:
    rows = [g.get("class") for g in drawn().iter("g") if g.find("line") is not None]
    assert rows.count("row reported") == 4
    assert rows.count("row withheld") == 1


def test_a_report_without_proportions_has_no_picture() -> None:
    assert figures.dots(()) == ""


@pytest.mark.parametrize(
    ("here", "to", "way"),
    [
        ("index.html", "otium.css", "otium.css"),
        ("a/b/index.html", "otium.css", "../../otium.css"),
        ("a/index.html", "a/b/index.html#m3", "b/index.html#m3"),
    ],
)
def test_ways_between_pages_are_relative(here: str, to: str, way: str) -> None:
    assert relative(here, to) == way


def test_values_read_as_people_write_them() -> None:
    assert size(93) == "93 bytes"
    assert size(3 * 1024**3) == "3.0 GiB"
    assert short("sha256:" + "ab" * 32) == "abababababab…"
    assert short("not a digest") == "not a digest"


def test_the_houses_own_markdown_becomes_html_and_nothing_else_does() -> None:
    text = (
        "# Title\n\n**When.** `x` <b>\n\n| a | b |\n|---|---|\n| 1 | <i> |\n\n- one\n- two\n\n## H"
    )
    html = str(prose(text))
    assert "Title" not in html
    assert "<p><strong>When.</strong> <code>x</code> &lt;b&gt;</p>" in html
    assert '<th scope="col">a</th>' in html
    assert "<td>&lt;i&gt;</td>" in html
    assert "<ul><li>one</li><li>two</li></ul>" in html
    assert "<h3>H</h3>" in html


@given(st.text())
def test_prose_never_lets_a_tag_through(text: str) -> None:
    tree = ET.fromstring(f"<div>{prose('p ' + text)}</div>")
    allowed = {"div", "p", "h3", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert {element.tag for element in tree.iter()} <= allowed | {"code", "strong", "em"}
