"""Curves on two logarithmic axes, and their twin."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

import pytest

from otium.plots import Line, curves

LINES = [Line(name="one", values=(1.0, 10.0, 100.0)), Line(name="other", values=(0.0, 1.0, 1.0))]


def points(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in found.split())]
        for found in re.findall(r'<polyline[^>]*points="([^"]*)"', svg)
    ]


def test_a_power_law_is_straight_and_what_is_not_above_zero_is_left_out() -> None:
    one, other = points(curves("A title", "n", (1, 10, 100), "cost", LINES).svg)
    (x0, y0), (x1, y1), (x2, y2) = one
    assert (x1 - x0, y1 - y0) == pytest.approx((x2 - x1, y2 - y1), abs=0.2)
    assert y0 > y1 > y2
    assert [x for x, _ in other] == [x1, x2]


def test_the_twin_has_every_number() -> None:
    twin = curves("A title", "n", (1, 10, 100), "cost", LINES).table
    assert twin.columns == ("n", "one", "other")
    assert twin.rows[0] == ("1", "1", "0")
    assert twin.rows[2] == ("100", "100", "1")


def test_names_of_lines_do_not_lie_on_one_another_and_are_text() -> None:
    lines = [Line(name=f"<b>{place}", values=(5.0, 5.0)) for place in range(3)]
    root = ET.fromstring(curves("A title", "n", (1, 10), "cost", lines).svg)
    heights = [
        float(each.attrib["y"]) for each in root.iter() if (each.text or "").startswith("<b>")
    ]
    assert len(heights) == 3
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 16
