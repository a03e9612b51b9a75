"""The plan of each surface of a model: what was announced of it, its floors and its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from otium.commitments.times import moment
from otium.ledger import Entry

DEPRECATED, RETIRED, WITHDRAWN = "model.deprecated", "model.retired", "model.withdrawn"
_REGISTERED, _CANCELLED, _ENDED = "model.registered", "deprecation.cancelled", "surface.ended"
_FLOORED = (_REGISTERED, "model.floor")
_DATED = (DEPRECATED, "model.rescheduled")
TOLD = (*_FLOORED, *_DATED, _ENDED, RETIRED, WITHDRAWN, _CANCELLED)
"""The types of the entries that tell of a plan."""


class Episode(Struct):
    """What was announced of a surface while an announcement of its end stood."""

    said: list[tuple[int, int | None]]
    """The index of each announcement, and its date in seconds; None if that is not a time."""
    end: int | None = None
    """The end of the surface, if it fell into the episode."""


class Surface(Struct):
    """What was said of one surface, and its end, as indices of entries."""

    name: str
    told: list[tuple[int, int, bool]] = []
    """Each date that was announced or set: its index, the date, whether it is a floor."""
    first_floor: int | None = None
    episodes: list[Episode] = []
    announced: bool = False
    end: int | None = None

    def announce(self, index: int, date: int | None) -> None:
        """Note that its end is announced, if it has not ended."""
        if self.end is not None:
            return
        if self.announced:
            self.episodes[-1].said.append((index, date))
        else:
            self.episodes.append(Episode([(index, date)]))
            self.announced = True
        if date is not None:
            self.told.append((index, date, False))

    def cancel(self) -> None:
        """Note that the announcement is taken back."""
        self.announced = self.announced and self.end is not None

    def floor(self, index: int, date: int) -> None:
        """Note before when it is not to end, if it has not ended."""
        if self.end is None:
            self.told.append((index, date, True))
            if self.first_floor is None:
                self.first_floor = index

    def finish(self, index: int) -> None:
        """Note that it ends, if it has not ended."""
        if self.end is None:
            self.end = index
            if self.announced:
                self.episodes[-1].end = index


class Plan(dict[str, Surface]):
    """The surfaces of a model in the order in which they were first named."""

    registered = False

    def __missing__(self, name: str) -> Surface:
        """Name a surface."""
        self[name] = surface = Surface(name)
        return surface

    def tell(self, index: int, entry: Entry) -> None:
        """Go on by one entry about the model."""
        kind = entry.type
        if kind in _FLOORED:
            if kind == _REGISTERED:
                self._register(entry)
            for name, value in _object(entry, "not_before"):
                if (date := moment(value)) is not None:
                    self[name].floor(index, date)
        elif kind in _DATED:
            for name, value in _object(entry, "retire_at"):
                self[name].announce(index, moment(value))
        elif kind == _ENDED:
            ended = entry.body.get("surface")
            if isinstance(ended, str):
                self[ended].finish(index)
        else:
            for surface in self.values():
                surface.cancel() if kind == _CANCELLED else surface.finish(index)

    def _register(self, entry: Entry) -> None:
        names = entry.body.get("surfaces")
        if not self.registered and isinstance(names, list | tuple):
            for name in names:
                if isinstance(name, str):
                    _ = self[name]  # names it
        self.registered = True


def plans(entries: Sequence[Entry], told: Iterable[int]) -> dict[str, Plan]:
    """Return the plans of all models; *told* are the indices of the entries that tell of them."""
    found: dict[str, Plan] = {}
    for index in told:
        entry = entries[index]
        plan = found.get(entry.subject)
        if plan is None:
            plan = found[entry.subject] = Plan()
        plan.tell(index, entry)
    return found


def _object(entry: Entry, name: str) -> Iterable[tuple[str, object]]:
    value = entry.body.get(name)
    return value.items() if isinstance(value, dict) else ()
