"""How values read on a page. Jinja escapes what these return."""

from __future__ import annotations

import posixpath
import re

from otium.assess import Measure
from otium.markdown import inert
from otium.records import Instant
from otium.report import measure_text

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024
_SHORT = 12


def relative(here: str, to: str) -> str:
    """Return the way from the page *here* to *to*, both paths on the site."""
    place, mark, anchor = to.partition("#")
    return posixpath.relpath(place, posixpath.dirname(here) or ".") + mark + anchor


def short(digest: str) -> str:
    """Return the first digits of a digest."""
    found = _HEX.fullmatch(digest)
    return f"{found[1][:_SHORT]}…" if found else digest


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


FILTERS = {
    "day": day,
    "inert": inert,
    "interval": interval,
    "minute": minute,
    "short": short,
    "size": size,
}
