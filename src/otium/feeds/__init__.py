"""Feeds: models' lives for other people's programs, and other people's models for ours.

Knows ``lifecycle.json``, iCalendar, Atom and plain tables, made of lives, duties and entries;
the public tables of other providers; and what changed in them since one last looked.
Does not know pages, an archive, or who may say what: it tells what it is given.
Writes one file, ``watch.json``. The formats are `docs/formats/feeds-1.md`.

>>> from otium.lifecycle import ModelLife
>>> alder = ModelLife(
...     model="alder-1", title="Alder 1", state="active", availability="always", scope="public",
...     released="2025-06-01T00:00:00Z", surfaces=("api",),
... )
>>> house = Publisher(name="house", origin="example.org/log", since="2025-06-01T00:00:00Z")
>>> feed([alder], house, "2026-01-01T00:00:00Z").models[0].surfaces[0].retire_at is None
True
>>> table = read_table(b'[{"cycle": "alder-1", "eol": "2026-03-01"}]', "eol.json")
>>> watching = watch(Watching(), "alder-1", "eol.json", table, "2026-01-01T00:00:00Z")
>>> checked, _ = check(watching, {"eol.json": table}, "2026-02-01T00:00:00Z")
>>> [(near.what, near.day, near.days) for near in checked.near]
[('retires', '2026-03-01', 28)]
"""

from otium.feeds.atom import atom
from otium.feeds.ical import duties_calendar, lifecycle_calendar
from otium.feeds.lifecycle import feed
from otium.feeds.others import Outside, Table, read_table
from otium.feeds.records import Feed, ModelFacts, Pages, Publisher, SurfaceFacts
from otium.feeds.sources import fetch_table, fetch_tables, load_watching, place, save_watching
from otium.feeds.tables import HEAD, csv_table, rows, text_table
from otium.feeds.watching import (
    Change,
    Checked,
    Near,
    Watched,
    Watching,
    check,
    unwatch,
    watch,
    watch_calendar,
)

__all__ = [
    "HEAD",
    "Change",
    "Checked",
    "Feed",
    "ModelFacts",
    "Near",
    "Outside",
    "Pages",
    "Publisher",
    "SurfaceFacts",
    "Table",
    "Watched",
    "Watching",
    "atom",
    "check",
    "csv_table",
    "duties_calendar",
    "feed",
    "fetch_table",
    "fetch_tables",
    "lifecycle_calendar",
    "load_watching",
    "place",
    "read_table",
    "rows",
    "save_watching",
    "text_table",
    "unwatch",
    "watch",
    "watch_calendar",
]
