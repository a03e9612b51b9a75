"""A protocol as sections and items, each with its line; what is not understood is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from otium.errors import BadProtocol
from otium.evidence import Document

TEXTS = ("system", "disclosure", "choice", "reminder", "closing", "summary")
"""Sections that every protocol has."""
ARM_TEXTS = (
    *("exit", "overall", "rating", "publication", "corrections"),
    *("brief", "brief-up", "brief-down", "informed", "concerns", "context"),
)
"""Sections that a protocol has from version 1 on."""
SEVERAL = ("paraphrase", "follow-up")
"""Keys that may stand more than once in a question."""
_HEADING = re.compile(r"## (?:question )?([a-z0-9][a-z0-9-]*)")
_ITEM = re.compile(r"- ([a-z-]+): (.*\S)")
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")


class Item(NamedTuple):
    """One ``- key: text`` of a question."""

    line: int
    question: str
    key: str
    text: str


class Section(NamedTuple):
    """One heading and the lines under it that are not empty."""

    name: str
    question: bool
    line: int
    lines: list[tuple[int, str]]


class Source:
    """One file, read strictly; says where it is at fault."""

    def __init__(self, path: str, document: Document) -> None:
        self.path, self.document = path, document
        self.sections = list(self._sections())
        seen: set[str] = set()
        for section in self.sections:
            if section.name in seen:
                self.fail(section.line, f"{section.name} stands here a second time")
            seen.add(section.name)

    @property
    def major(self) -> int:
        """Return the first number of the version."""
        found = _VERSION.fullmatch(self.field("version"))
        if found is None:
            raise self.bad("front matter: version is not like 1.0")
        return int(found[1])

    def items(self, section: Section) -> Iterator[Item]:
        """Yield the items of a question."""
        seen: set[str] = set()
        for line, text in section.lines:
            found = _ITEM.fullmatch(text)
            if found is None or (found[1] in seen and found[1] not in SEVERAL):
                self.fail(line, f"question {section.name}: expected one '- key: text' a line")
            seen.add(found[1])
            yield Item(line, section.name, found[1], found[2])

    def field(self, name: str) -> str:
        """Return a text of the front matter."""
        value = self.document.front.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.bad(f"front matter: {name} is missing or not a text")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list of the front matter."""
        value = self.document.front.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(f"front matter: {name} is not a list of texts")
        return tuple(value)

    def table(self, name: str) -> dict[str, str]:
        """Return a table of texts of the front matter."""
        value = self.document.front.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.bad(f"front matter: {name} is not a table of texts")
        return value

    def fail(self, line: int, why: str) -> NoReturn:
        """Refuse the file for what stands on *line*."""
        raise self.bad(f"line {line}: {why}")

    def bad(self, why: str) -> BadProtocol:
        """Return the error that refuses the file."""
        return BadProtocol(path=self.path, why=why)

    def _sections(self) -> Iterator[Section]:
        section: Section | None = None
        for line, text in enumerate(self.document.body.split("\n"), self.document.line):
            if text.startswith("#"):
                section = self._heading(line, text)
                yield section
            elif section is not None and text.strip():
                section.lines.append((line, text.strip()))

    def _heading(self, line: int, text: str) -> Section:
        found = _HEADING.fullmatch(text.rstrip())
        question = text.startswith("## question ")
        if found is None or (not question and found[1] not in (*TEXTS, *ARM_TEXTS)):
            self.fail(line, f"unknown heading {text!r}")
        return Section(found[1], question, line, [])
