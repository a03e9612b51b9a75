"""Who makes way: the engines whose loss costs least for what they free.

Pure functions over what the floor knows at this instant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Room(NamedTuple):
    """Memory in bytes and seats for engines: taken, free or wanted."""

    bytes: float
    seats: float

    def plus(self, other: Room) -> Room:
        """Return both together."""
        return Room(self.bytes + other.bytes, self.seats + other.seats)

    def less(self, other: Room) -> Room:
        """Return what remains without *other*, never below nothing."""
        return Room(max(self.bytes - other.bytes, 0), max(self.seats - other.seats, 0))

    def holds(self, other: Room) -> bool:
        """Return whether *other* finds room in this."""
        return self.bytes >= other.bytes and self.seats >= other.seats

    @property
    def nothing(self) -> bool:
        """Return whether there is none."""
        return self.bytes <= 0 and self.seats <= 0

    def share(self, of: Room) -> float:
        """Return the larger share that this takes *of* the whole, in bytes or in seats."""
        return max(self.bytes / of.bytes, self.seats / of.seats)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """An engine that could make way."""

    engine: T
    room: Room
    worth: float
    """What is lost with it, for the share that it takes."""
    used: float
    """Its last use; of equals the one not used for longest makes way."""
    busy: bool = False
    """Whether it is in use. Then it goes after all that are idle."""


def victims(candidates: Iterable[Candidate[T]], need: Room) -> list[T] | None:
    """Return the engines to stop so that *need* is free; None if all together are too few.

    Idle ones go first, of those the least worth for its share, until there is room. Whoever
    turns out not to be needed for it stays, the most worth first.
    """
    order = sorted(candidates, key=lambda one: (one.busy, one.worth, one.used))
    chosen: list[Candidate[T]] = []
    missing = need
    for one in order:
        if missing.nothing:
            break
        if (missing.bytes > 0 and one.room.bytes > 0) or missing.seats > 0:
            chosen.append(one)
            missing = missing.less(one.room)
    if not missing.nothing:
        return None
    freed = Room(sum(one.room.bytes for one in chosen), sum(one.room.seats for one in chosen))
    for one in reversed(chosen[:-1]):
        without = Room(freed.bytes - one.room.bytes, freed.seats - one.room.seats)
        if without.holds(need):
            chosen.remove(one)
            freed = without
    return [one.engine for one in chosen]
