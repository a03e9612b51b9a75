"""Which models one depends on, what was last seen of each, and what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Literal

from msgspec.structs import replace

from otium.errors import Exists, NotFound
from otium.feeds.ical import Event, calendar
from otium.feeds.others import Outside, Table
from otium.records import Instant, Part, Record

NEAR = (30, 60, 90)
"""Days ahead that are looked at."""
_PAST = {"released", "announced", "legacy"}
"""What needs no warning before it comes."""
_ENDS = ("retire", "ended", "withdrawn", "discontinued", "deprecation (litellm)")

ChangeKind = Literal[
    "set", "earlier", "later", "called off", "ended", "replacement", "vanished", "back", "reached"
]


class Watched(Part):
    """A model that one depends on."""

    model: str
    source: str
    """The file or URL of the table it is in."""
    since: Instant
    seen: Outside
    """What the table said when it last named it."""
    seen_at: Instant
    missing_since: Instant | None = None


class Watching(Record, tag="otium.watch/1"):
    """All that is watched."""

    models: tuple[Watched, ...] = ()


class Change(Part):
    """What is different from the last look."""

    model: str
    source: str
    kind: ChangeKind
    what: str = ""
    """Which date it is about."""
    was: str | None = None
    now: str | None = None
    alarm: bool = False
    """It broke what one could rely on: earlier than said, or gone without a date."""


class Near(Part):
    """A date that comes soon."""

    model: str
    source: str
    what: str
    day: str
    days: int
    """From today."""
    within: int
    """The first of 30, 60 and 90 days that it lies in."""


class Checked(Record, tag="otium.watch-check/1"):
    """What a look at the tables found."""

    at: Instant
    changes: tuple[Change, ...]
    near: tuple[Near, ...]
    missing: tuple[str, ...]
    """Models that their tables no longer name, though no date that was given has come."""
    undated: tuple[str, ...]
    """Models of which no end is known."""
    unread: dict[str, str]
    """Tables that could not be read, and why. Their models were not judged."""

    @property
    def quiet(self) -> bool:
        """Whether nothing needs a person's eyes."""
        return not (self.changes or self.near or self.missing or self.unread)


def watch(watching: Watching, model: str, source: str, table: Table, now: Instant) -> Watching:
    """Return *watching* with *model* as *table* has it.

    Raises NotFound if the table does not name it, Exists if it is watched there already.
    """
    if any((one.model, one.source) == (model, source) for one in watching.models):
        raise Exists(name=f"the watch over {model} in {source}")
    if model not in table.models:
        raise NotFound(what=f"the model {model!r} in {source}")
    added = Watched(model=model, source=source, since=now, seen=table.models[model], seen_at=now)
    return Watching(models=(*watching.models, added))


def unwatch(watching: Watching, model: str) -> Watching:
    """Return *watching* without *model*; raise NotFound."""
    left = tuple(one for one in watching.models if one.model != model)
    if left == watching.models:
        raise NotFound(what=f"a watch over the model {model!r}")
    return Watching(models=left)


def check(
    watching: Watching,
    tables: Mapping[str, Table],
    now: Instant,
    unread: Mapping[str, str] | None = None,
) -> tuple[Checked, Watching]:
    """Return what changed and what is near, and *watching* with what was seen now.

    A model whose source is not among *tables* is not judged, and keeps what was last seen.
    """
    changes: list[Change] = []
    kept = []
    for one in watching.models:
        table = tables.get(one.source)
        if table is None:
            kept.append(one)
            continue
        found = table.models.get(one.model)
        changes += _changes(one, found, now)
        kept.append(_seen(one, found, now))
    found_near = sorted(_near(kept, now), key=lambda near: (near.days, near.model, near.what))
    result = Checked(
        at=now,
        changes=tuple(changes),
        near=tuple(found_near),
        missing=tuple(one.model for one in kept if _is_missing(one)),
        undated=tuple(one.model for one in kept if not _ends(one.seen) and not one.seen.over),
        unread=dict(unread or {}),
    )
    return result, Watching(models=tuple(kept))


def watch_calendar(watching: Watching) -> str:
    """Return a calendar of every day that is known of what is watched."""
    events = [
        Event(
            uid=f"watch-{one.model}-{what}-{one.source}@otium.invalid",
            day=day,
            summary=f"{one.model}: {what}",
            stamp=one.since,
            description=f"According to {one.source}, {one.seen_at}.",
            category=what,
        )
        for one in watching.models
        for what, day in one.seen.dates.items()
        if what not in _PAST
    ]
    return calendar("Models that we depend on", events)


def _seen(one: Watched, found: Outside | None, now: Instant) -> Watched:
    if found is None:
        return replace(one, missing_since=one.missing_since or now)
    return replace(one, seen=found, seen_at=now, missing_since=None)


def _changes(one: Watched, found: Outside | None, now: Instant) -> Iterator[Change]:
    if found is None:
        if one.missing_since is None:
            yield _change(one, "vanished", alarm=not _is_due(one.seen, now))
        return
    if one.missing_since is not None:
        yield _change(one, "back")
    yield from _moves(one, found, now)
    if found.over and not one.seen.over:
        yield _change(one, "ended", alarm=not _is_due(found, now))
    if found.replacement != one.seen.replacement:
        yield _change(one, "replacement", was=one.seen.replacement, now=found.replacement)


def _moves(one: Watched, found: Outside, now: Instant) -> Iterator[Change]:
    """Yield each date that was set, moved, called off, or has come since the last look."""
    for what in sorted(one.seen.dates.keys() | found.dates.keys()):
        was, day = one.seen.dates.get(what), found.dates.get(what)
        if was is None:
            yield _change(one, "set", what, now=day)
        elif day is None:
            yield _change(one, "called off", what, was=was)
        elif day != was:
            alarm = day < was and what not in _PAST
            yield _change(one, "earlier" if day < was else "later", what, was, day, alarm=alarm)
        elif one.seen_at[:10] < day <= now[:10]:
            yield _change(one, "reached", what, was=was, now=day)


def _change(
    one: Watched,
    kind: ChangeKind,
    what: str = "",
    was: str | None = None,
    now: str | None = None,
    *,
    alarm: bool = False,
) -> Change:
    return Change(
        model=one.model, source=one.source, kind=kind, what=what, was=was, now=now, alarm=alarm
    )


def _ends(seen: Outside) -> list[str]:
    """Return the days on which something of a model ends; a floor is no end."""
    return [day for what, day in seen.dates.items() if what.startswith(_ENDS)]


def _is_due(seen: Outside, now: Instant) -> bool:
    """Whether some end that was announced has come."""
    return any(day <= now[:10] for day in _ends(seen))


def _is_missing(one: Watched) -> bool:
    return one.missing_since is not None and not _is_due(one.seen, one.missing_since)


def _near(watched: Iterable[Watched], now: Instant) -> Iterator[Near]:
    today = date.fromisoformat(now[:10])
    for one in watched:
        for what, day in one.seen.dates.items():
            days = (date.fromisoformat(day) - today).days
            if what not in _PAST and 0 <= days <= NEAR[-1]:
                within = next(limit for limit in NEAR if days <= limit)
                yield Near(
                    model=one.model, source=one.source, what=what, day=day, days=days, within=within
                )
