"""The colours, by WCAG 2.2: 4.5 to 1 for text, 3 to 1 for lines that carry meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import otium.web

CSS = (Path(otium.web.__file__).parent / "static" / "otium.css").read_text()
COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--(\w+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS
    )
}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_of_contrast_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "wash"])
@pytest.mark.parametrize("text", ["ink", "quiet", "accent"])
def test_text_can_be_read(text: str, ground: str, scheme: int) -> None:
    assert contrast(COLOURS[text][scheme], COLOURS[ground][scheme]) >= 4.5


def test_the_style_sheet_is_short_and_uses_only_its_palette() -> None:
    assert len(CSS.splitlines()) < 200
    body = CSS.partition("}")[2].partition("@media print")[0]
    assert not re.findall(r"#[0-9a-f]{3,8}\b", body)


def test_every_class_on_a_page_has_a_style() -> None:
    templates = Path(otium.web.__file__).parent / "templates"
    used = {
        name
        for path in templates.glob("*.html")
        for names in re.findall(r'class="([a-z ]+)"', path.read_text())
        for name in names.split()
    }
    assert {name for name in used if f".{name}" not in CSS} == set()
