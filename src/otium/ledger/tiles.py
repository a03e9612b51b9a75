"""Tiles: where the hashes and the entries of a log stand, as C2SP's ``tlog-tiles`` has it.

A full tile holds 256 hashes, each over a full tile of the level below; a partial one fewer.
An entry bundle holds 256 entries or fewer, each after its length in two bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from otium.errors import BrokenLedger
from otium.ledger.merkle import HASH_SIZE, leaf_hash, tree_hash

LOG = "log"
WIDTH = 256
LONGEST_ENTRY = 0xFFFF
_NAME = re.compile(r"log/tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


class Tile(NamedTuple):
    """The name of a tile, or of an entry bundle (level None)."""

    level: int | None
    number: int
    width: int

    @property
    def name(self) -> str:
        """Where it is stored."""
        level = "entries" if self.level is None else str(self.level)
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{LOG}/tile/{level}/{_spell(self.number)}{suffix}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the tile that is stored under *name*, or None if the name is not a tile's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        level = None if found[1] == "entries" else int(found[1])
        number = int("".join(part.lstrip("x") for part in found[2].split("/")))
        tile = cls(level, number, int(found[3] or WIDTH))
        return tile if tile.name == name else None

    @property
    def end(self) -> int:
        """How many hashes (or entries) its level has up to its last."""
        return self.number * WIDTH + self.width

    def is_within(self, size: int) -> bool:
        """Say whether a log of *size* entries has all that this tile holds."""
        return self.end <= size >> 8 * (self.level or 0)


def _spell(number: int) -> str:
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield each tile and bundle that a log of *size* entries must have."""
    yield from _row(None, size)
    level = 0
    while count := size >> 8 * level:
        yield from _row(level, count)
        level += 1


def _row(level: int | None, count: int) -> Iterator[Tile]:
    for number in range(count // WIDTH):
        yield Tile(level, number, WIDTH)
    if count % WIDTH:
        yield Tile(level, count // WIDTH, count % WIDTH)


def edge_of(size: int) -> Iterator[Tile]:
    """Yield the partial tile of each level, lowest first, of width 0 where a level has none."""
    level = 0
    while count := size >> 8 * level:
        yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return the bundle of *entries*."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data: bytes, tile: Tile) -> list[bytes]:
    """Return the entries of a bundle, or raise BrokenLedger if it is not *tile*'s width."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != tile.width:
        raise BrokenLedger(why=f"{tile.name} does not hold {tile.width} whole entries")
    return entries


def split_hashes(data: bytes, tile: Tile) -> list[bytes]:
    """Return the hashes of a tile, or raise BrokenLedger if it is not *tile*'s width."""
    if len(data) != tile.width * HASH_SIZE:
        raise BrokenLedger(why=f"{tile.name} does not hold {tile.width} hashes")
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


Encoder = Callable[[Iterable[bytes]], bytes]


class Growth(NamedTuple):
    """What an append adds: the new tiles with their bytes, and the new right edge."""

    tiles: list[tuple[Tile, bytes]]
    edge: list[list[bytes]]


def grow(
    size: int, edge: Sequence[Sequence[bytes]], last: Sequence[bytes], new: Sequence[bytes]
) -> Growth:
    """Return what a log of *size* gains by the entries *new*.

    *edge* has the hashes of the partial tile of each level, *last* the entries of the partial
    bundle.
    """
    tiles = _fill(None, size // WIDTH, [*last, *new], bundle)
    rising, grown, level = [leaf_hash(entry) for entry in new], [], 0
    while rising or level < len(edge):
        row = [*(edge[level] if level < len(edge) else ()), *rising]
        first = (size >> 8 * level) // WIDTH
        if rising:
            tiles += _fill(level, first, row, b"".join)
        full = len(row) - len(row) % WIDTH
        rising = [tree_hash(row[i : i + WIDTH]) for i in range(0, full, WIDTH)]
        grown.append(row[full:])
        level += 1
    return Growth(tiles, grown)


def _fill(
    level: int | None,
    first: int,
    items: Sequence[bytes],
    encode: Callable[[Iterable[bytes]], bytes],
) -> list[tuple[Tile, bytes]]:
    chunks = [items[i : i + WIDTH] for i in range(0, len(items), WIDTH)]
    return [(Tile(level, first + n, len(part)), encode(part)) for n, part in enumerate(chunks)]
