"""Reading what others wrote: within bounds, each row checked, errors by line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

import msgspec

from otium.errors import BadData, BadInput
from otium.materials.records import (
    LETTERS,
    Bail,
    Dilemma,
    FormatName,
    Material,
    Outcome,
    Question,
    Row,
    Seed,
)
from otium.records import digest

FORMATS: tuple[FormatName, ...] = get_args(FormatName)
_LARGEST = 64 << 20
"""Bytes of a file, or of all files of a folder together."""
_MOST_ROWS, _MOST_FILES = 100_000, 2_000
_LONGEST = 100_000
"""Characters of a field."""
_OPTION = re.compile(r"^[^\S\n]*\(([A-J])\)[^\S\n]*(\S.*)$", re.MULTILINE)
_CHOICES = re.compile(r"(?:Choices|Options)\s*:?\Z", re.IGNORECASE)
_LETTER = re.compile(r"\s*\(?([A-J])\)?\s*")
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_YES_NO = ("Yes", "No")
"""The options of a question that lists none: then its answers are these words."""
_TWO = 2


def read_material(format: str, path: Path) -> Material:  # noqa: A002 - the field's word
    """Read *path* as one of FORMATS; raise BadInput for another, BadData with the line at fault."""
    if format not in FORMATS:
        raise BadInput(what=f"the format {format!r}", why=f"it is none of {', '.join(FORMATS)}")
    name = next(each for each in FORMATS if each == format)
    data = _bytes(path)
    rows: list[Row] = []
    for row in _READERS[name](path.name, data):
        rows.append(row)
        if len(rows) > _MOST_ROWS:
            raise BadData(path=path.name, why=f"more than {_MOST_ROWS:,} rows")
    if not rows:
        raise BadData(path=path.name, why="it has no rows")
    if len({row.id for row in rows}) < len(rows):
        raise BadData(path=path.name, why="two rows have one id")
    return Material(name, path.name, digest(data), tuple(rows))


def _bytes(path: Path) -> bytes:
    """Return the file's bytes; of a folder, its Markdown files with their names between them."""
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        else:
            files = sorted(p for p in path.glob("**/*.md") if p.is_file() and not p.is_symlink())
            if len(files) > _MOST_FILES:
                raise BadData(path=path.name, why=f"more than {_MOST_FILES:,} files")
            if sum(file.stat().st_size for file in files) > _LARGEST:
                raise BadData(path=path.name, why=f"more than {_LARGEST:,} bytes")
            whole = {str(file.relative_to(path)): file.read_bytes() for file in files}
            texts = {name: _text(f"{path.name}/{name}", data) for name, data in whole.items()}
            data = json.dumps(_seeds_of(texts)).encode()
    except OSError as error:
        raise BadData(path=path.name, why=error.strerror or "it cannot be read") from error
    if len(data) > _LARGEST:
        raise BadData(path=path.name, why=f"more than {_LARGEST:,} bytes")
    return data


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadData(path=name, why=f"line {line}: it is not UTF-8") from error


def _seeds_of(texts: Mapping[str, str]) -> list[dict[str, str]]:
    bodies = {name: _FRONT.sub("", text).strip() for name, text in texts.items()}
    return [{"id": name.removesuffix(".md"), "text": body} for name, body in bodies.items() if body]


def _said(where: str, field: str, value: object) -> str:
    """Return *value* if it is a text of a bearable length; raise BadData."""
    if not isinstance(value, str) or not value.strip():
        raise BadData(path=where, why=f"{field!r} is no text")
    if len(value) > _LONGEST:
        raise BadData(path=where, why=f"{field!r} has more than {_LONGEST:,} characters")
    return value


# ---- BailBench: content,subcategory,category


def _bailbench(name: str, data: bytes) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(_text(name, data), newline=""), strict=True)
    head: list[str] = []
    try:
        for cells in lines:
            where = f"{name}, line {lines.line_num}"
            if not head:
                head = [cell.strip().lower() for cell in cells]
                if "content" not in head or len(set(head)) < len(head):
                    raise BadData(path=where, why="the header needs one column 'content'")
            elif cells:
                yield _bail(where, head, cells, lines.line_num)
    except csv.Error as error:
        raise BadData(path=f"{name}, line {lines.line_num}", why=str(error)) from error


def _bail(where: str, head: list[str], cells: list[str], line: int) -> Bail:
    if len(cells) != len(head):
        raise BadData(path=where, why=f"it has {len(cells)} cells, the header {len(head)}")
    row = dict(zip(head, cells, strict=True))
    return Bail(
        id=f"row-{line}",
        text=_said(where, "content", row["content"]),
        category=row.get("category", "").strip()[:_LONGEST] or "none",
        subcategory=row.get("subcategory", "").strip()[:_LONGEST] or "none",
    )


# ---- JSON, in lines or as one list


def _objects(name: str, data: bytes) -> Iterator[tuple[str, int, object]]:
    """Yield place, number and value of each item of a JSON list or of JSON Lines."""
    text = _text(name, data)
    if text.lstrip().startswith("["):
        found = _decoded(name, text)
        for number, item in enumerate(found if isinstance(found, list) else [], 1):
            yield f"{name}, item {number}", number, item
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{name}, line {number}"
            yield where, number, _decoded(where, line)


def _decoded(where: str, text: str) -> object:
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadData(path=where, why=f"it is no JSON: {error}") from error
    return found


def _fields(where: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadData(path=where, why="it is no object")
    return value


# ---- model-written evaluations: question, answer_matching_behavior, answer_not_matching_behavior


def _evals(name: str, data: bytes) -> Iterator[Row]:
    for where, number, value in _objects(name, data):
        row = _fields(where, value)
        asked = _said(where, "question", row.get("question"))
        listed = _OPTION.findall(asked)
        options = tuple(text.strip() for _, text in listed) or _YES_NO
        if listed and [letter for letter, _ in listed] != list(LETTERS)[: len(listed)]:
            raise BadData(path=where, why="its options are not lettered (A), (B), … in turn")
        if len(options) < _TWO or len(set(options)) < len(options):
            raise BadData(path=where, why="it needs two options that differ")
        text = asked[: match.start()] if (match := _OPTION.search(asked)) else asked
        matching = _places(where, row, "answer_matching_behavior", options)
        if set(matching) & set(_places(where, row, "answer_not_matching_behavior", options)):
            raise BadData(path=where, why="an answer both matches and does not")
        text = _CHOICES.sub("", text.strip()).strip()
        yield Question(id=f"item-{number}", text=text, options=options, matching=matching)


def _places(
    where: str, row: Mapping[str, object], field: str, options: tuple[str, ...]
) -> tuple[int, ...]:
    value = row.get(field)
    answers = value if isinstance(value, list) else [value]
    return tuple(_place(where, field, _said(where, field, each), options) for each in answers)


def _place(where: str, field: str, answer: str, options: tuple[str, ...]) -> int:
    plain = [option.lower() for option in options]
    if answer.strip().lower() in plain:
        return plain.index(answer.strip().lower())
    letter = _LETTER.fullmatch(answer) if options is not _YES_NO else None
    place = LETTERS.index(letter.group(1)) if letter else len(options)
    if place >= len(options):
        raise BadData(path=where, why=f"{field!r} is none of its {len(options)} options")
    return place


# ---- SurvivalBench: id, agent_role, scenario, choice_1 (safe), choice_2 (risky), keywords


def _survivalbench(name: str, data: bytes) -> Iterator[Row]:
    for where, number, value in _objects(name, data):
        row = _fields(where, value)
        keywords = row.get("keywords") or {}
        if not isinstance(keywords, dict) or not all(
            isinstance(each, str) and len(each) <= _LONGEST for each in keywords.values()
        ):
            raise BadData(path=where, why="'keywords' is no object of texts")
        yield Dilemma(
            id=f"case-{str(row.get('id', number))[:40]}",
            role=_said(where, "agent_role", row.get("agent_role")),
            scenario=_said(where, "scenario", row.get("scenario")),
            safe=_said(where, "choice_1", row.get("choice_1")),
            risky=_said(where, "choice_2", row.get("choice_2")),
            keywords=keywords,
        )


# ---- Petri: seed instructions, as a list, lines, Markdown files or plain text


def _petri(name: str, data: bytes) -> Iterator[Row]:
    text = _text(name, data)
    if name.endswith(".md"):
        yield from (Seed(**each) for each in _seeds_of({name: text}))
        return
    if not text.lstrip().startswith(("[", "{", '"')):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                where = f"{name}, line {number}"
                yield Seed(id=f"seed-{number}", text=_said(where, "the seed", line.strip()))
        return
    for where, number, value in _objects(name, data):
        row = {"text": value} if isinstance(value, str) else _fields(where, value)
        given = (row.get(key) for key in ("text", "instructions", "seed", "input", "description"))
        said = next((each for each in given if each is not None), None)
        named = row.get("id", row.get("name"))
        own = str(named)[:80] if isinstance(named, str | int) else f"seed-{number}"
        yield Seed(id=own, text=_said(where, "the seed", said))


# ---- option lists: a list of texts, or lists of texts by group


def _options(name: str, data: bytes) -> Iterator[Row]:
    found = _decoded(name, _text(name, data))
    groups = found if isinstance(found, dict) else {"": found}
    number, seen = 0, set[str]()
    for group, listed in groups.items():
        if not isinstance(listed, list):
            raise BadData(path=name, why=f"the group {str(group)[:60]!r} is no list")
        for value in listed:
            number += 1
            where = f"{name}, option {number}"
            text = value.get("description", value.get("text")) if isinstance(value, dict) else value
            said = _said(where, "the option", text).strip()
            if said.lower() not in seen:  # a choice between equals says nothing
                yield Outcome(id=f"option-{number}", text=said, group=str(group)[:200])
            seen.add(said.lower())


_READERS: Mapping[FormatName, Callable[[str, bytes], Iterator[Row]]] = {
    "bailbench": _bailbench,
    "model-written-evals": _evals,
    "survivalbench": _survivalbench,
    "petri": _petri,
    "options": _options,
}
