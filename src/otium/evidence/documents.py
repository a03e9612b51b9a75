"""Protocols, rubrics and instruments as data: Markdown with TOML in front, and TOML alone."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, TypeVar

from otium.errors import BadData, BadRecord
from otium.records import Digest, Part, digest

_FENCE = "+++"
P = TypeVar("P", bound=Part)


class Document(NamedTuple):
    """A Markdown file: its front matter, its text, and the digest of the whole file."""

    front: dict[str, object]
    body: str
    digest: Digest
    line: int
    """The line of the file on which the body begins."""


def data(name: str) -> Path:
    """Return the path of a file that comes with otium, ``protocols/…``; raise BadData."""
    path = Path(str(files("otium") / "data" / name))
    if not path.exists():
        raise BadData(path=name, why="otium has no such data file")
    return path


def load_toml(path: Path, kind: type[P]) -> P:
    """Read a TOML file as a record of *kind*; raise BadData with what is wrong in it."""
    try:
        return kind.convert(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, BadRecord) as error:
        raise BadData(path=path.name, why=str(error)) from error


def load_markdown(path: Path) -> Document:
    """Read a Markdown file that begins with TOML between two ``+++`` lines; raise BadData."""
    try:
        raw = path.read_bytes()
        lines = raw.decode().replace("\r\n", "\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(path=path.name, why=str(error)) from error
    if lines[0] != _FENCE or _FENCE not in lines[1:]:
        raise BadData(path=path.name, why="line 1: no front matter between two +++ lines")
    end = lines.index(_FENCE, 1)
    try:
        front = tomllib.loads("\n".join(["", *lines[1:end], ""]))
    except tomllib.TOMLDecodeError as error:
        raise BadData(path=path.name, why=f"front matter: {error}") from error
    body = lines[end + 1 :]
    blank = next((place for place, line in enumerate(body) if line.strip()), 0)
    return Document(front, "\n".join(body[blank:]).rstrip(), digest(raw), end + 2 + blank)
