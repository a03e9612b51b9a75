"""The terms: Markdown that is versioned, and whose digest goes into each request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otium.access.records import Terms
from otium.errors import BadData, BadInput, NotFound
from otium.evidence import data, load_markdown
from otium.quotas import read_budget, read_rate
from otium.records import Json


def all_terms(folder: Path | None = None) -> list[Terms]:
    """Return every version of the terms, the newest of each kind first.

    A house's own lie in *folder*; without one, those that come with otium are meant. Raises
    BadData for a file that is none.
    """
    place = folder if folder is not None and folder.is_dir() else data("terms")
    found = [_read(path) for path in sorted(place.glob("*.md"))]
    return sorted(found, key=lambda it: (it.id, [-int(part) for part in it.version.split(".")]))


def terms_for(kind: str, folder: Path | None = None) -> Terms:
    """Return the newest terms of a kind, ``researcher``, or those of a name, ``researcher-1.0``.

    Raises NotFound.
    """
    for one in all_terms(folder):
        if kind in {one.id, one.name}:
            return one
    raise NotFound(what=f"terms for {kind!r}")


def _read(path: Path) -> Terms:
    found = load_markdown(path)
    front = {name: it for name, it in found.front.items() if name != "canary"}
    try:
        limits: dict[str, Json] = {
            "budgets": [read_budget(one).plain() for one in _texts(front, "budgets")],
            "rates": [read_rate(one).plain() for one in _texts(front, "rates")],
        }
        terms = Terms.convert({**front, **limits, "text": found.body, "file_digest": found.digest})
    except BadInput as error:
        raise BadData(path=path.name, why=str(error)) from error
    if not all(part.isdecimal() for part in terms.version.split(".")):
        raise BadData(path=path.name, why="a version is numbers joined by '.'")
    return terms


def _texts(front: dict[str, object], name: str) -> Sequence[str]:
    value = front.get(name, [])
    return [str(one) for one in value] if isinstance(value, list) else []
