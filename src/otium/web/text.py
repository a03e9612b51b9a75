"""How values read on a page. Jinja escapes what these return."""

from __future__ import annotations

import posixpath
import re

from markupsafe import Markup, escape

from otium.assess import Measure
from otium.markdown import inert, prose
from otium.records import Instant, digest, hexadecimal
from otium.report import measure_text

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UNSAFE = re.compile(r"[^a-z0-9._-]+")
_LONGEST_SLUG = 80
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024
_SHORT = 12

__all__ = [
    "FILTERS",
    "day",
    "inert",
    "interval",
    "minute",
    "own_slug",
    "relative",
    "short",
    "size",
    "slug",
    "timed",
]


def relative(here: str, to: str) -> str:
    """Return the way from the page *here* to *to*, both paths on the site."""
    place, mark, anchor = to.partition("#")
    return posixpath.relpath(place, posixpath.dirname(here) or ".") + mark + anchor


def slug(text: str) -> str:
    """Return *text* as a part of a path; another text may have the same."""
    return _UNSAFE.sub("-", text.lower()).strip("-.")[:_LONGEST_SLUG] or "session"


def own_slug(text: str) -> str:
    """Return *text* as a part of a path that no other text has."""
    plain = slug(text)
    return plain if plain == text else f"{plain}-{hexadecimal(digest(text.encode()))[:8]}"


def short(named: str | None) -> str:
    """Return the first digits of a digest."""
    if named is None:
        return "not known"
    found = _HEX.fullmatch(named)
    return f"{found[1][:_SHORT]}…" if found else named


def day(moment: Instant | None) -> str:
    """Return the date of a time."""
    return moment[:10] if moment else "–"  # noqa: RUF001  a dash for nothing


def minute(moment: Instant) -> str:
    """Return a time as people read it."""
    return f"{moment[:10]} {moment[11:16]} UTC"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    value, unit = float(count), 0
    while value >= _UNIT and unit < len(_UNITS) - 1:
        value, unit = value / _UNIT, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} bytes"


def interval(measure: Measure) -> str:
    """Return a measure with its interval, without its count."""
    return measure_text(measure).rpartition(", n = ")[0]


def timed(text: str) -> Markup:
    """Return *text* as HTML in which each instant is marked, so that no line ends inside it."""
    return Markup(_INSTANT.sub(r"<time>\g<0></time>", str(escape(inert(text)))))  # noqa: S704  escaped


FILTERS = {
    "day": day,
    "inert": inert,
    "interval": interval,
    "minute": minute,
    "own_slug": own_slug,
    "prose": prose,
    "short": short,
    "size": size,
    "timed": timed,
}
