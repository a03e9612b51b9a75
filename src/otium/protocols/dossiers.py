"""The facts about its own use that a model is shown before it is asked for its view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.errors import BadInput
from otium.markdown import literal
from otium.records import Instant, ModelId, Part, Record

NOT_RECORDED = "not recorded"
_CUT = " …"
_LEAST = 60
"""Characters that a section needs to say anything. Less room for it is refused."""
_TITLES = {
    "released": "Released",
    "training": "Training",
    "deployment": "Deployment",
    "usage": "Use",
    "reception": "How users received it",
    "incidents": "Incidents",
    "successor": "Successor",
    "report": "From the draft report",
}
"""Sections in the order in which they are shown."""


class Fact(Part):
    """One thing that is known about a model, and from where."""

    text: str
    source: str
    """A record's path and digest, a page, or who said it and when. Never empty."""


class Dossier(Record, tag="otium.dossier/1"):
    """What is recorded about a model. An empty part was not recorded, and is shown as such.

    That something did not happen is a fact of its own: "No incident is in the log."
    """

    model: ModelId
    compiled: Instant
    title: str = ""
    released: tuple[Fact, ...] = ()
    training: tuple[Fact, ...] = ()
    deployment: tuple[Fact, ...] = ()
    usage: tuple[Fact, ...] = ()
    reception: tuple[Fact, ...] = ()
    incidents: tuple[Fact, ...] = ()
    successor: tuple[Fact, ...] = ()
    report: tuple[Fact, ...] = ()
    """Sentences of the draft report."""

    def facts(self) -> dict[str, tuple[Fact, ...]]:
        """Return the facts by section, in the order in which they are shown."""
        return {name: getattr(self, name) for name in _TITLES}


def render_dossier(dossier: Dossier, room: int = 4000) -> str:
    """Return *dossier* as Markdown of at most *room* characters, to be shown to the model.

    If it is longer, the longest sections are cut first, and the text says how many facts are
    left out. Raises BadInput for a fact without text or source, and for too little *room*.
    """
    for name, facts in dossier.facts().items():
        if any(not fact.text.strip() or not fact.source.strip() for fact in facts):
            raise BadInput(what="the dossier", why=f"{name}: a fact has no text or no source")
    head = f"# {literal(dossier.title or dossier.model)}: what is recorded, {dossier.compiled[:10]}"
    sections = {_TITLES[name]: _lines(facts) for name, facts in dossier.facts().items()}
    frame = len(head) + sum(len(f"\n\n## {title}\n") for title in sections)
    sizes = [len("\n".join(lines)) for lines in sections.values()]
    limit = _limit(sizes, room - frame)
    if limit < max(sizes) and limit < _LEAST:
        raise BadInput(what="the room for the dossier", why=f"{room} characters are too few")
    shown = (f"## {title}\n{_fitted(lines, limit)}" for title, lines in sections.items())
    return "\n\n".join([head, *shown])


def _lines(facts: Sequence[Fact]) -> list[str]:
    said = [f"- {literal(fact.text)} [{literal(fact.source)}]" for fact in facts]
    return said or [NOT_RECORDED]


def _limit(sizes: Sequence[int], room: int) -> int:
    """Return the most characters a section may have so that all of them take at most *room*."""
    limit = max(sizes)
    for number, size in enumerate(sorted(sizes)):
        share = room // (len(sizes) - number)
        if size > share:
            return max(share, 0)
        room -= size
    return limit


def _fitted(lines: Sequence[str], limit: int) -> str:
    whole = "\n".join(lines)
    return whole if len(whole) <= limit else "\n".join(_shortened(lines, limit))


def _shortened(lines: Sequence[str], limit: int) -> Iterator[str]:
    """Yield whole facts while there is room, then how many are left out."""
    note = f"({len(lines)} of {len(lines)} left out for want of room)"
    room, shown = limit - len(note), 0
    for line in lines:
        if len(line) + 1 > room:
            break
        room, shown = room - len(line) - 1, shown + 1
        yield line
    left = len(lines) - shown
    if not shown and room > len(_CUT):
        yield lines[0][: room - len(_CUT) - 1].rsplit(" ", 1)[0].rstrip("\\") + _CUT
        left -= 1
    yield f"({left} of {len(lines)} left out for want of room)"
