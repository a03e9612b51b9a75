"""A round of scrubbing by several: each reads its parts, one cursor remembers how far all are."""

from __future__ import annotations

import functools
import secrets
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from otium import custody
from otium.archive import Damage
from otium.custody import (
    Cursor,
    Level,
    Position,
    Scrubbed,
    Work,
    load_cursor,
    merged,
    save_cursor,
)
from otium.records import Part, Progress, silent
from otium.scaling.crew import Crew
from otium.workflow import CURSOR, Home, log_scrub, reading

_SMALL = 256
"""Small files that are read as one part; a pack, or a file of a drill, is a part of its own."""


class _Part(Part):
    place: str
    """The home's path."""
    level: Level
    run: str
    """Names this scrub: what an earlier one listed is not used."""
    number: int
    names: tuple[str, ...]


class _Read(Part):
    bytes: int
    damage: tuple[Damage, ...]


def scrub_all(
    home: Home, crew: Crew, *, level: Level = "digests", progress: Progress = silent
) -> Scrubbed:
    """Read on from where the last scrub stopped to the end of the round, and log what was found.

    It is the round of ``otium archive scrub``, with the same cursor: each can go on where the
    other stopped. Whoever is stopped reads again what was under way, and forgets no damage.
    Raises WorkFailed, DamagedCache.
    """
    now, work = home.registry.now(), custody.reading(home.archive, level)
    path = home.path / CURSOR
    cursor = load_cursor(path, home.archive.id)
    position = cursor.positions.get(level, Position())
    if not position.after:
        position = replace(position, began=now, damage=())
    position = replace(position, damage=merged(position.damage, work.damage))
    walk = _Walk(path, cursor, level, position)
    first = bisect_right(work.names, position.after)
    parts = _parts(str(home.path.absolute()), level, work.names[first:])
    for one in crew.each(_read, parts):
        walk.take(one.item, one.value())
        progress("scrubbing", walk.read, len(work.names) - first)
    found = walk.position.damage
    ended = Position(whole=now, rounds=position.rounds + 1, damage=found)
    save_cursor(path, cursor, level, ended)
    done = Scrubbed(
        checked=now,
        level=level,
        read=walk.read,
        bytes=walk.bytes,
        total=len(work.names),
        damage=found,
        position=ended,
    )
    log_scrub(home, done)
    return done


def left_to_scrub(home: Home, level: Level) -> int:
    """Return how many files the round still has to read; nothing is read but the lists."""
    position = load_cursor(home.path / CURSOR, home.archive.id).positions.get(level, Position())
    names = custody.reading(home.archive, level).names
    return len(names) - bisect_right(names, position.after)


class _Walk:
    """How far a round has come: to the first part that is not read, however many behind it are."""

    def __init__(self, path: Path, cursor: Cursor, level: Level, position: Position) -> None:
        self._path, self._cursor, self._level = path, cursor, level
        self._ahead: dict[int, tuple[_Part, _Read]] = {}
        self._next = 0
        self.position = position
        self.read = self.bytes = 0

    def take(self, part: _Part, result: _Read) -> None:
        """Note a part that was read, and how far the round has come by it."""
        self._ahead[part.number] = part, result
        self.read += len(part.names)
        self.bytes += result.bytes
        while self._next in self._ahead:
            passed, found = self._ahead.pop(self._next)
            self._next += 1
            damage = merged(self.position.damage, found.damage)
            self.position = replace(self.position, after=passed.names[-1], damage=damage)
            save_cursor(self._path, self._cursor, self._level, self.position)


def _parts(place: str, level: Level, names: Sequence[str]) -> list[_Part]:
    """Cut what is to be read into parts, in order."""
    run = secrets.token_hex(8)
    groups: list[list[str]] = []
    for name in names:
        alone = level == "drill" or name.startswith("packs/")
        if alone or not groups or len(groups[-1]) >= _SMALL or groups[-1][0].startswith("packs/"):
            groups.append([])
        groups[-1].append(name)
    return [
        _Part(place=place, level=level, run=run, number=number, names=tuple(group))
        for number, group in enumerate(groups)
    ]


def _read(part: _Part) -> _Read:
    work, size = _listed(part.place, part.level, part.run), 0

    def tell(length: int) -> None:
        nonlocal size
        size += length

    for name in part.names:
        work.read(name, tell)
    return _Read(bytes=size, damage=merged(work.damage, ()))


@functools.lru_cache(maxsize=1)
def _listed(place: str, level: Level, run: str) -> Work:
    """Return what is to be read; each worker lists it once a scrub."""
    del run
    return custody.reading(reading(Path(place)).archive, level)
