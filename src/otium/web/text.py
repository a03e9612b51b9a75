"""How values read on a page. Jinja escapes what these return."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from otium.assess import Measure
from otium.evidence import words
from otium.markdown import inert, prose
from otium.records import Instant, digest, hexadecimal
from otium.report import measure_text
from otium.web.views import Mark

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UNSAFE = re.compile(r"[^a-z0-9._-]+")
_LONGEST_SLUG = 80
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024
_SHORT = 12
_WORD, _WORDS = 5, 60

__all__ = [
    "FILTERS",
    "cut",
    "day",
    "distinctive",
    "inert",
    "interval",
    "minute",
    "own_slug",
    "relative",
    "segments",
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


def segments(content: str, marks: Sequence[Mark]) -> list[tuple[str, bool, tuple[Mark, ...]]]:
    """Cut *content* where marks begin and end: each piece, whether marked, which marks end."""
    cuts = sorted({0, len(content), *(m.start for m in marks), *(m.end for m in marks)})
    return [
        (
            content[a:b],
            any(m.start <= a and b <= m.end for m in marks),
            tuple(m for m in marks if m.end == b),
        )
        for a, b in pairwise(cuts)
    ]


def cut(text: str, most: int) -> str:
    """Return at most *most* characters of *text*, with a mark where it was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def distinctive(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return for each text the words that lead to some of *texts* rather than to all or one.

    Of words of five letters or more that stand in at least two texts and in no more than a
    quarter of them, the sixty that stand in most.
    """
    found = {
        name: {w for w in words(text) if w.isalpha() and len(w) >= _WORD}
        for name, text in texts.items()
    }
    counts = Counter(word for those in found.values() for word in those)
    wanted = [w for w, n in counts.items() if 1 < n <= max(2, len(texts) // 4)]
    kept = set(sorted(wanted, key=lambda w: (-counts[w], w))[:_WORDS])
    return {name: tuple(sorted(those & kept)) for name, those in found.items()}


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
