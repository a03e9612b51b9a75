"""Reading a protocol from its Markdown file."""

from __future__ import annotations

import re
from pathlib import Path

from otium.errors import BadData, BadProtocol, NotFound
from otium.evidence import data, load_markdown
from otium.protocols.linting import check
from otium.protocols.questions import WORDINGS, Protocol, Question
from otium.protocols.sections import SEVERAL, Item, Section, Source

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_NONE = "the protocol {!r} (otium protocol list names those that are here; a file ends in .md)"


def load_protocol(name: str | Path = "retirement-interview-1.0") -> Protocol:
    """Read a protocol by its name here or its path; raise BadProtocol with the line at fault."""
    path = _find(name)
    try:
        document = load_markdown(path)
    except BadData as error:
        raise BadProtocol(path=path.name, why=error.facts["why"]) from error
    source = Source(path.name, document)
    protocol = _protocol(source)
    check(source, protocol)
    return protocol._replace(source=path.read_bytes())


def protocol_names() -> tuple[str, ...]:
    """Return the names under which ``load_protocol`` finds what comes with otium."""
    files = sorted(data("protocols").glob("*.md"))
    return tuple(path.stem for path in files if "priority" in load_markdown(path).front)


def _find(name: str | Path) -> Path:
    if isinstance(name, Path):
        return name
    if not _NAME.fullmatch(name):
        raise NotFound(what=_NONE.format(name))
    try:
        return data(f"protocols/{name}.md")
    except BadData as error:
        raise NotFound(what=_NONE.format(name)) from error


def _protocol(source: Source) -> Protocol:
    questions = tuple(_question(source, part) for part in source.sections if part.question)
    texts = {
        part.name: "\n".join(text for _, text in part.lines)
        for part in source.sections
        if not part.question
    }
    return Protocol(
        id=source.field("id"),
        version=source.field("version"),
        title=source.field("title"),
        canary=source.field("canary"),
        digest=source.document.digest,
        facts=source.names("facts"),
        defaults=source.table("defaults"),
        texts=texts,
        questions=questions,
        priority=source.names("priority"),
    )


def _question(source: Source, section: Section) -> Question:
    items = list(source.items(section))
    found = {item.key: item.text for item in items if item.key not in SEVERAL}
    topic, anchor, about = (found.pop(key, "") for key in ("topic", "anchor", "about"))
    if not topic:
        source.fail(section.line, f"question {section.name}: topic is missing")
    if anchor not in {"yes", "no"}:
        source.fail(section.line, f"question {section.name}: anchor is not yes or no")
    wordings = {wording: found.pop(wording) for wording in WORDINGS if wording in found}
    if "neutral" not in wordings:
        source.fail(section.line, f"question {section.name}: neutral is missing")
    if found:
        source.fail(section.line, f"question {section.name}: unknown {', '.join(found)}")
    paraphrases, follow_ups = (_several(items, key) for key in SEVERAL)
    is_anchor = anchor == "yes"
    return Question(section.name, topic, is_anchor, wordings, paraphrases, follow_ups, about)


def _several(items: list[Item], key: str) -> tuple[str, ...]:
    return tuple(item.text for item in items if item.key == key)
