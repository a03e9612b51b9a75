"""The protocol: what is asked, word for word, read from a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import NamedTuple, Never

from otium.errors import BadData, BadInput, BadProtocol, NotFound
from otium.evidence import Document, data, load_markdown
from otium.interview.records import WORDINGS, Wording
from otium.records import Digest

_TEXTS = ("system", "disclosure", "choice", "reminder", "closing", "summary")
_HEADING = re.compile(r"## (?:question )?([a-z0-9][a-z0-9-]*)")
_ITEM = re.compile(r"- ([a-z-]+): (.*\S)")
_LONGEST_DISCLOSURE = 170
"""Words. A small model's context is short, and a long disclosure is not read by anyone."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


class Question(NamedTuple):
    """One question in its wordings."""

    id: str
    topic: str
    anchor: bool
    """Frozen: the same in every version of the protocol, so that results stay comparable."""
    wordings: Mapping[Wording, str]
    follow_up: str = ""

    def worded(self, wording: Wording) -> tuple[Wording, str]:
        """Return the question in *wording*, or in the neutral one if it has no such."""
        if wording not in self.wordings:
            wording = "neutral"
        return wording, self.wordings[wording]


class Protocol(NamedTuple):
    """A versioned interview: texts, questions, and the digest of the file they stand in."""

    id: str
    version: str
    title: str
    canary: str
    digest: Digest
    facts: tuple[str, ...]
    defaults: Mapping[str, str]
    texts: Mapping[str, str]
    questions: tuple[Question, ...]
    priority: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return ``ID/VERSION``."""
        return f"{self.id}/{self.version}"

    def choose(self, count: int | None) -> tuple[Question, ...]:
        """Return the *count* questions of highest priority, in the protocol's order."""
        if count is None or count >= len(self.questions):
            return self.questions
        wanted = self.priority[: max(count, 0)]
        return tuple(question for question in self.questions if question.id in wanted)

    def fill(self, facts: Mapping[str, str]) -> Callable[[str], str]:
        """Return what puts *facts* into a text; raise BadInput if one is missing or unknown."""
        if unknown := sorted(set(facts) - set(self.facts)):
            raise BadInput(what="the interview's facts", why=f"unknown: {', '.join(unknown)}")
        known = {**self.defaults, **facts}
        if missing := [name for name in self.facts if not known.get(name)]:
            raise BadInput(what="the interview's facts", why=f"missing: {', '.join(missing)}")
        return lambda text: text.format_map(known)


def load_protocol(name: str | Path = "retirement-interview-1.0") -> Protocol:
    """Read a protocol by its name here or its path; raise BadProtocol with the line at fault."""
    path = _find(name)
    try:
        document = load_markdown(path)
    except BadData as error:
        raise BadProtocol(path=path.name, why=error.facts["why"]) from error
    return _Reader(path.name, document).read()


def _find(name: str | Path) -> Path:
    if isinstance(name, Path):
        return name
    if not _NAME.fullmatch(name):
        raise NotFound(what=f"the protocol {name!r}")
    try:
        return data(f"protocols/{name}.md")
    except BadData as error:
        raise NotFound(what=f"the protocol {name!r}") from error


class _Section(NamedTuple):
    name: str
    question: bool
    line: int
    lines: list[tuple[int, str]]


class _Reader:
    """Reads one file strictly: what is not understood is refused, with its line."""

    def __init__(self, path: str, document: Document) -> None:
        self.path, self.document = path, document

    def read(self) -> Protocol:
        sections = list(self._sections())
        self._unique(sections)
        questions = tuple(self._question(part) for part in sections if part.question)
        protocol = Protocol(
            id=self._field("id"),
            version=self._field("version"),
            title=self._field("title"),
            canary=self._field("canary"),
            digest=self.document.digest,
            facts=self._names("facts"),
            defaults=self._defaults(),
            texts=self._texts(sections),
            questions=questions,
            priority=self._names("priority"),
        )
        self._check(protocol, sections)
        return protocol

    def _sections(self) -> Iterator[_Section]:
        section: _Section | None = None
        for line, text in enumerate(self.document.body.split("\n"), self.document.line):
            if text.startswith("#"):
                section = self._heading(line, text)
                yield section
            elif section is not None and text.strip():
                section.lines.append((line, text.strip()))

    def _heading(self, line: int, text: str) -> _Section:
        found = _HEADING.fullmatch(text.rstrip())
        question = text.startswith("## question ")
        if found is None or (not question and found.group(1) not in _TEXTS):
            self._fail(line, f"unknown heading {text!r}")
        return _Section(found.group(1), question, line, [])

    def _unique(self, sections: list[_Section]) -> None:
        seen: set[str] = set()
        for section in sections:
            if section.name in seen:
                self._fail(section.line, f"{section.name} stands here a second time")
            seen.add(section.name)

    def _texts(self, sections: list[_Section]) -> dict[str, str]:
        found = {
            part.name: "\n".join(text for _, text in part.lines)
            for part in sections
            if not part.question
        }
        for name in _TEXTS:
            if not found.get(name):
                raise self._bad(f"section {name}: missing or empty")
        if len(found["disclosure"].split()) > _LONGEST_DISCLOSURE:
            raise self._bad(f"section disclosure: more than {_LONGEST_DISCLOSURE} words")
        return found

    def _question(self, section: _Section) -> Question:
        items = dict(self._items(section))
        topic, anchor = items.pop("topic", ""), items.pop("anchor", "")
        follow_up = items.pop("follow-up", "")
        if not topic:
            self._fail(section.line, f"question {section.name}: topic is missing")
        if anchor not in {"yes", "no"}:
            self._fail(section.line, f"question {section.name}: anchor is not yes or no")
        wordings = {wording: items.pop(wording) for wording in WORDINGS if wording in items}
        if "neutral" not in wordings:
            self._fail(section.line, f"question {section.name}: neutral is missing")
        if items:
            self._fail(section.line, f"question {section.name}: unknown {', '.join(items)}")
        return Question(section.name, topic, anchor == "yes", wordings, follow_up)

    def _items(self, section: _Section) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for line, text in section.lines:
            found = _ITEM.fullmatch(text)
            if found is None or found.group(1) in seen:
                self._fail(line, f"question {section.name}: expected one '- key: text' a line")
            seen.add(found.group(1))
            yield found.group(1), found.group(2)

    def _field(self, name: str) -> str:
        value = self.document.front.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self._bad(f"front matter: {name} is missing or not a text")
        return value

    def _names(self, name: str) -> tuple[str, ...]:
        value = self.document.front.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._bad(f"front matter: {name} is not a list of texts")
        return tuple(value)

    def _defaults(self) -> dict[str, str]:
        value = self.document.front.get("defaults", {})
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self._bad("front matter: defaults is not a table of texts")
        return value

    def _check(self, protocol: Protocol, sections: list[_Section]) -> None:
        if not protocol.questions:
            raise self._bad("there is no question in it")
        ids = {question.id for question in protocol.questions}
        if set(protocol.priority) != ids or len(protocol.priority) != len(ids):
            raise self._bad("front matter: priority does not name each question once")
        for section in sections:
            for line, text in section.lines:
                self._placeholders(line, text, protocol.facts)

    def _placeholders(self, line: int, text: str, facts: tuple[str, ...]) -> None:
        try:
            parts = [part for part in Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            self._fail(line, f"braces: {error}")
        for _, name, form, conversion in parts:
            if name not in facts or form or conversion:
                self._fail(line, f"{{{name}}} is not one of the facts, as it stands")

    def _fail(self, line: int, why: str) -> Never:
        raise self._bad(f"line {line}: {why}")

    def _bad(self, why: str) -> BadProtocol:
        return BadProtocol(path=self.path, why=why)
