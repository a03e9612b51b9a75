"""The feed in Atom (RFC 4287): one entry for each thing that happened in a model's life."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from otium.feeds.records import Pages, Publisher
from otium.ledger import Entry
from otium.lifecycle import lives, oddities
from otium.records import ModelId, hexadecimal

_ATOM = "http://www.w3.org/2005/Atom"
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS = {
    "model.registered": "registered",
    "model.deposited": "weights kept in the archive",
    "model.floor": "does not retire before new dates",
    "model.legacy": "legacy: it gets no more updates",
    "model.deprecated": "deprecated",
    "model.rescheduled": "retirement dates moved",
    "deprecation.cancelled": "deprecation cancelled",
    "model.replacement": "replacement changed",
    "surface.ended": "a surface ended",
    "model.retired": "retired",
    "model.withdrawn": "withdrawn without notice",
    "model.availability": "availability changed",
    "model.revived": "revived",
    "alias.pointed": "an alias points to it",
    "report.prepared": "report before its deployment published",
    "report.published": "report published",
    "transition.published": "transition guide published",
}
"""What a feed tells of, and in which words. Routine work such as checks stays out."""


def atom(
    entries: Sequence[Entry],
    publisher: Publisher,
    *,
    pages: Mapping[ModelId, Pages] | None = None,
    url: str | None = None,
    model: ModelId | None = None,
    most: int = 200,
) -> str:
    """Return the feed of *entries*, those that count, the newest first; of *model* or of all.

    *url* is where the feed will stand. Entries that were passed over as impossible are not told.
    """
    root = ET.Element(f"{{{_ATOM}}}feed")
    told = _told(entries, model)
    name = f"{publisher.name}: {model or 'lives of models'}"
    _add(root, "id", publisher.tag(f"lifecycle/{model}" if model else "lifecycle"))
    _add(root, "title", name)
    _add(root, "updated", max((entry.time for entry in told), default=publisher.since))
    _add(_add(root, "author"), "name", publisher.name)
    if url:
        _add(root, "link", rel="self", href=url, type="application/atom+xml")
    titles = {one: life.title for one, life in lives(entries).items()}
    for key, entry in _named(told)[::-1][:most]:
        title = titles.get(ModelId(entry.subject), entry.subject)
        page = (pages or {}).get(ModelId(entry.subject), Pages()).page
        _tell(_add(root, "entry"), entry, title, publisher.tag(f"entry/{key}"), page)
    ET.register_namespace("", _ATOM)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _told(entries: Sequence[Entry], model: ModelId | None) -> list[Entry]:
    odd = {oddity.index for oddity in oddities(entries)}
    return [
        entry
        for index, entry in enumerate(entries)
        if index not in odd and entry.type in _WORDS and model in {None, entry.subject}
    ]


def _named(entries: Iterable[Entry]) -> list[tuple[str, Entry]]:
    """Return each entry with its digest, and which of the same it is if there are several."""
    seen: Counter[str] = Counter()
    named = []
    for entry in entries:
        key = hexadecimal(entry.digest())
        seen[key] += 1
        named.append((f"{key}-{seen[key]}" if seen[key] > 1 else key, entry))
    return named


def _tell(element: ET.Element, entry: Entry, title: str, key: str, page: str | None) -> None:
    _add(element, "id", key)
    _add(element, "title", f"{title}: {_WORDS[entry.type]}")
    _add(element, "updated", entry.time)
    _add(element, "category", term=entry.type)
    if page:
        _add(element, "link", rel="alternate", href=page)
    _add(element, "content", _content(entry, title), type="text")


def _content(entry: Entry, title: str) -> str:
    """Return what the entry says, in plain sentences."""
    body = entry.body
    lines = [f"{title} ({entry.subject}): {_WORDS[entry.type]}."]
    for field, words in (("retire_at", "retires at"), ("not_before", "does not retire before")):
        dates = body.get(field)
        if isinstance(dates, Mapping):
            lines += [f"{surface}: {words} {at}." for surface, at in sorted(dates.items())]
    if isinstance(body.get("surface"), str):
        lines.append(f"Surface: {body['surface']}.")
    if isinstance(body.get("alias"), str):
        lines.append(f"Alias: {body['alias']}.")
    if isinstance(body.get("availability"), str) and entry.type == "model.availability":
        lines.append(f"Availability: {body['availability']}.")
    if "replacement" in body:
        lines.append(f"Recommended replacement: {body['replacement'] or 'none'}.")
    if isinstance(body.get("reason"), str) and body["reason"]:
        lines.append(f"Reason: {body['reason']}")
    return "\n".join(lines)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    clean = {key: _UNFIT.sub("\ufffd", value) for key, value in attributes.items()}
    child = ET.SubElement(parent, f"{{{_ATOM}}}{name}", clean)
    if text is not None:
        child.text = _UNFIT.sub("\ufffd", text)
    return child
