"""A picture in a page, and a picture as a file of its own."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from otium.plots.records import Drawing, Svg, words

_WIDE, _NARROW, _COLUMNS, _GAP = 640, 300, 3, 24
_HEAD = 34
_FONT = 'font: 13px Georgia, "DejaVu Serif", serif'
_COLOURS = {
    "paper": ("#fdfcf9", "#171613"),
    "wash": ("#f4f1ea", "#22201c"),
    "ink": ("#1e1c19", "#e8e3d8"),
    "quiet": ("#5d5850", "#a9a294"),
    "rule": ("#d8d2c6", "#3b3730"),
    "accent": ("#14594f", "#86cbbb"),
}
"""In light and in dark."""


@cache
def style() -> str:
    """Return the style sheet of pictures in a page; its colours are the page's variables."""
    return files("otium.data").joinpath("plots.css").read_text()


def inline(picture: Svg) -> str:
    """Return *picture* for a page whose style sheet has ``style()``: it needs nothing else."""
    drawn = [
        _framed(drawing, f"{picture.name}-{place}")
        for place, drawing in enumerate(picture.drawings, 1)
    ]
    legend = _legend(picture)
    if [drawing.title for drawing in picture.drawings] == [picture.title]:
        return drawn[0] + legend
    cells = "".join(
        f"<div><p>{words(drawing.title)}</p>{svg}</div>"
        for drawing, svg in zip(picture.drawings, drawn, strict=True)
    )
    title = words(picture.title)
    return f'<div class="multiples" role="group" aria-label="{title}">{cells}</div>{legend}'


def file(picture: Svg) -> str:
    """Return *picture* as an SVG file: light or dark as its reader is, with its own colours."""
    columns = min(_COLUMNS, max(1, len(picture.drawings)))
    width = _WIDE if columns == 1 else columns * (_NARROW + _GAP) - _GAP
    each = width if columns == 1 else _NARROW
    body, top = [f'<text x="0" y="18" font-size="16">{words(picture.title)}</text>'], _HEAD
    for first in range(0, len(picture.drawings), columns):
        line = picture.drawings[first : first + columns]
        for place, drawing in enumerate(line):
            x, head = place * (_NARROW + _GAP), 0 if columns == 1 else 20
            if head:
                body.append(f'<text x="{x}" y="{top + 13}">{words(drawing.title)}</text>')
            frame = f'x="{x}" y="{top + head}" width="{each}" height="{drawing.height}"'
            body.append(f'<svg {frame} overflow="visible">{drawing.body}</svg>')
        top += max(drawing.height for drawing in line) + (0 if columns == 1 else 20 + _GAP)
    if picture.legend.body:
        size = f'width="{min(width, _WIDE)}" height="{picture.legend.height}"'
        body.append(f'<svg y="{top + 8}" {size} overflow="visible">{picture.legend.body}</svg>')
        top += picture.legend.height + 8
    text = " ".join(f"{it.title}: {it.text}" for it in picture.drawings)
    role = _role(picture.drawings)
    return page(picture.title, text, "".join(body), (width, top), role=role)


def page(title: str, text: str, body: str, size: tuple[int, int], *, role: str = "img") -> str:
    """Return a file of *size*, width and height in pixels, with *body* and a margin around it."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="{role}" '
        f'aria-labelledby="t d" viewBox="-16 -8 {width + 32} {height + 16}" width="{width + 32}" '
        f'height="{height + 16}"><title id="t">{words(title)}</title>'
        f'<desc id="d">{words(text)}</desc><style>{sheet()}</style>'
        f'<rect class="page" x="-16" y="-8" width="100%" height="100%"/>{body}</svg>\n'
    )


def _framed(drawing: Drawing, name: str) -> str:
    role, title, text = _role((drawing,)), words(drawing.title), words(drawing.text)
    return (
        f'<svg class="plot" role="{role}" aria-labelledby="{name}-t {name}-d" width="100%" '
        f'height="{drawing.height}"><title id="{name}-t">{title}</title>'
        f'<desc id="{name}-d">{text}</desc>{drawing.body}</svg>'
    )


def _legend(picture: Svg) -> str:
    height, body = picture.legend.height, picture.legend.body
    if not body:
        return ""
    return f'<svg class="plot" aria-hidden="true" width="100%" height="{height}">{body}</svg>'


def _role(drawings: tuple[Drawing, ...]) -> str:
    """Return ``img``, but where there are links ``group``: nothing in an image can be reached."""
    return "group" if any(drawing.linked for drawing in drawings) else "img"


def sheet() -> str:
    """Return the style sheet of a picture that is a file of its own, in light and in dark."""
    rules = f".plot {{ {_FONT}; }}\n.plot .page {{ fill: var(--paper); }}\n{style()}"
    light, dark = (
        re.sub(r"var\(--(\w+)\)", lambda found: _COLOURS[found[1]][scheme], rules)  # noqa: B023
        for scheme in (0, 1)
    )
    return f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
