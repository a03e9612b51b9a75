"""Each feed reads back with a parser of somebody else's, whatever a life looks like."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

import feedparser
import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.conftest import HOUSE, NOW, entry, registered
from feeds.some import many, words
from otium.commitments import Duty
from otium.feeds import (
    HEAD,
    Feed,
    Pages,
    Publisher,
    atom,
    csv_table,
    duties_calendar,
    feed,
    lifecycle_calendar,
    read_table,
    rows,
    text_table,
)
from otium.ledger import Entry
from otium.lifecycle import ModelLife, lives
from otium.records import Instant, ModelId

Golden = Callable[[str, str], None]
ATOM = "{http://www.w3.org/2005/Atom}"
PAGES = {
    ModelId("alder-1"): Pages(
        page="https://example.org/models/alder-1/",
        notice="https://example.org/models/alder-1/notice.json",
    )
}


class Shown(NamedTuple):
    """An event as somebody else's parser shows it."""

    day: date
    summary: str
    description: str
    status: str
    sequence: int
    stamp: datetime


def events(text: str) -> dict[str, Shown]:
    """Check what RFC 5545 asks of every line, and return the events by their UIDs."""
    raw = text.encode()
    assert raw.endswith(b"\r\n")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert not re.search(rb"[^\r]\n|\r[^\n]", raw)
    parsed: Any = icalendar.Calendar.from_ical(raw)
    assert not parsed.errors
    found: dict[str, Shown] = {}
    for event in parsed.walk("VEVENT"):
        assert not event.errors
        assert str(event["UID"]) not in found
        assert type(event["DTSTART"].dt) is date
        found[str(event["UID"])] = Shown(
            day=event["DTSTART"].dt,
            summary=str(event["SUMMARY"]),
            description=str(event.get("DESCRIPTION", "")),
            status=str(event["STATUS"]),
            sequence=event["SEQUENCE"],
            stamp=event["DTSTAMP"].dt,
        )
    return found


def told(text: str) -> list[ET.Element]:
    """Check what RFC 4287 asks of a feed and its entries, and return the entries."""
    root = ET.fromstring(text)
    assert root.tag == f"{ATOM}feed"
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for once in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{once}")) == 1
        updated = element.findtext(f"{ATOM}updated") or ""
        assert datetime.fromisoformat(updated).tzinfo is not None
        name = element.findtext(f"{ATOM}id") or ""
        assert re.fullmatch(r"tag:[a-z0-9.-]+,\d{4}-\d{2}-\d{2}:[A-Za-z0-9._~:/%-]+", name)
    ids = [one.findtext(f"{ATOM}id") for one in entries]
    assert len(set(ids)) == len(ids)
    assert all(len(one.findall(f"{ATOM}content")) == 1 for one in entries)
    parsed = feedparser.parse(text.encode())
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    assert [one.id for one in parsed.entries] == ids
    return entries


def test_the_json_feed_is_golden_and_reads_back(
    known: dict[ModelId, ModelLife], golden: Golden
) -> None:
    made = feed(known.values(), HOUSE, NOW, PAGES)
    golden("lifecycle.json", json.dumps(made.plain(), indent=1, ensure_ascii=False) + "\n")
    assert Feed.decode(made.encode()) == made


def test_each_fact_has_its_own_field_and_none_is_left_out(
    known: dict[ModelId, ModelLife],
) -> None:
    said = json.loads(feed(known.values(), HOUSE, NOW).encode())
    assert said["schema"] == "otium.lifecycle-feed/1"
    alder, birch, cedar = said["models"]
    assert set(alder) == set(birch) == set(cedar)
    assert alder["surfaces"][0] == {
        "surface": "api",
        "not_before": "2026-03-01T00:00:00Z",
        "retire_at": "2026-09-01T00:00:00Z",
        "ended": None,
    }
    assert [one["now"] for one in alder["revisions"] if one["surface"] == "api"] == [
        "2026-02-01T00:00:00Z",
        "2026-03-01T00:00:00Z",
        "2026-08-01T00:00:00Z",
        "2026-09-01T00:00:00Z",
    ]
    assert (cedar["replacement"], cedar["replacement_stated"]) == (None, True)
    assert (birch["replacement"], birch["replacement_stated"]) == (None, False)
    assert birch["aliases"] == ["latest"]


def test_the_calendar_is_golden_and_keeps_what_was_called_off(
    known: dict[ModelId, ModelLife], golden: Golden
) -> None:
    text = lifecycle_calendar(known.values(), HOUSE)
    golden("lifecycle.ics", text)
    found = events(text)
    api = found["date-alder-1-api@example.org"]
    assert (api.day, api.sequence, api.status) == (date(2026, 9, 1), 1, "CONFIRMED")
    off = found["date-cedar-1-api@example.org"]
    assert (off.day, off.sequence, off.status) == (date(2026, 9, 1), 1, "CANCELLED")
    floor = found["floor-alder-1-api@example.org"]
    assert floor.day == date(2026, 3, 1)
    withdrawn = found["ended-birch-1-api@example.org"]
    assert withdrawn.summary == "Birch, 1; <the> \\ & “first”: api withdrawn"


def test_a_date_that_a_withdrawal_overtook_is_cancelled_and_the_sequence_goes_on() -> None:
    log = [
        registered("alder-1", "Alder 1", surfaces=["api"]),
        entry("model.deprecated", "2026-05-01T00:00:00Z", "alder-1",
              retire_at={"api": "2026-08-01T00:00:00Z"}, replacement=None, reason="Old."),
    ]  # fmt: skip
    gone = entry("model.withdrawn", "2026-06-01T00:00:00Z", "alder-1", reason="An order.")
    key = "date-alder-1-api@example.org"
    before = events(lifecycle_calendar(lives(log).values(), HOUSE))[key]
    after = events(lifecycle_calendar(lives([*log, gone]).values(), HOUSE))[key]
    assert (before.status, after.status) == ("CONFIRMED", "CANCELLED")
    assert after.sequence > before.sequence
    assert after.stamp > before.stamp


def test_the_atom_feed_is_golden_tells_the_newest_first_and_not_what_was_impossible(
    entries: list[Entry], golden: Golden
) -> None:
    url = "https://example.org/lifecycle.atom"
    text = atom(entries, HOUSE, pages=PAGES, url=url)
    golden("lifecycle.atom", text)
    titles = [one.findtext(f"{ATOM}title") for one in told(text)]
    assert titles[0] == "Alder 1: a surface ended"
    assert titles[-1] == "Alder 1: registered"
    assert not any(title == "Cedar 1: retired" for title in titles)
    parsed = feedparser.parse(text)
    assert parsed.feed.links[0].href == url
    assert parsed.entries[0].link == "https://example.org/models/alder-1/"


def test_ids_in_atom_stay_when_the_log_grows_and_when_others_entries_are_dropped(
    entries: list[Entry],
) -> None:
    def ids(log: list[Entry]) -> list[str | None]:
        return [one.findtext(f"{ATOM}id") for one in told(atom(log, HOUSE))][::-1]

    whole = ids(entries)
    for length in range(len(entries)):
        part = ids(entries[:length])
        assert part == whole[: len(part)]
    assert set(ids([one for one in entries if one.subject != "cedar-1"])) < set(whole)


def test_an_entry_made_twice_is_told_with_two_ids(entries: list[Entry]) -> None:
    told(atom([*entries, entries[5], entries[5]], HOUSE))


def test_the_atom_feed_of_one_model_tells_of_no_other(entries: list[Entry]) -> None:
    of_cedar = told(atom(entries, HOUSE, model=ModelId("cedar-1")))
    assert {(one.findtext(f"{ATOM}title") or "")[:7] for one in of_cedar} == {"Cedar 1"}


def test_a_house_without_a_host_name_still_has_valid_ids(entries: list[Entry]) -> None:
    house = Publisher(name="x", origin="Not A Host/é ü", since=HOUSE.since)
    assert told(atom(entries, house))
    assert told(atom([], house)) == []


@settings(max_examples=60, deadline=None)
@given(title=words, reason=words)
def test_any_words_make_a_valid_atom_feed(title: str, reason: str) -> None:
    log = [
        registered("alder-1", title),
        entry("model.withdrawn", "2026-05-01T00:00:00Z", "alder-1", reason=reason),
    ]
    told(atom(log, HOUSE))


@settings(max_examples=50, deadline=None)
@given(many)
def test_any_lives_make_a_valid_calendar_with_their_words_kept(known: list[ModelLife]) -> None:
    found = events(lifecycle_calendar(known, HOUSE))
    for life in known:
        for surface, ended in life.ended.items():
            event = found[f"ended-{life.model}-{surface}@example.org"]
            assert event.day == date.fromisoformat(ended[:10])
            plain = life.title.replace("\r\n", "\n").replace("\r", "\n")
            clean = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", plain)
            assert event.summary.startswith(clean)


@settings(max_examples=50, deadline=None)
@given(many)
def test_any_lives_make_a_json_feed_that_our_own_reader_takes(known: list[ModelLife]) -> None:
    made = feed(known, HOUSE, NOW)
    assert Feed.decode(made.encode()) == made
    table = read_table(made.encode(), "lifecycle.json")
    assert list(table.models) == [life.model for life in known]
    for life in known:
        dates = table.models[life.model].dates
        for surface, at in life.retire_at.items():
            if surface in life.surfaces and at < "2200":
                assert dates[f"retires ({surface})"] == at[:10]


@settings(max_examples=50, deadline=None)
@given(many)
def test_any_lives_make_tables_that_read_back(known: list[ModelLife]) -> None:
    read = list(csv.reader(io.StringIO(csv_table(known), newline="")))
    assert [tuple(row) for row in read] == [HEAD, *rows(known)]
    lines = text_table(known).splitlines()
    assert len(lines) == 1 + len(rows(known))
    assert lines[0].split() == list(HEAD)


def test_the_tables_are_golden_and_so_are_their_heads(
    known: dict[ModelId, ModelLife], golden: Golden
) -> None:
    golden("lifecycle.csv", csv_table(known.values()))
    golden("lifecycle.txt", text_table(known.values()))


def duty(state: str, due: str | None, **facts: str) -> Duty:
    plain = {
        "commitment": "full-read",
        "text": "Every byte is read within 90 days.",
        "owner": "archivist",
        "subject": "alder-1",
        "model": "alder-1",
        "under": "1",
        **facts,
    }
    return Duty.convert({**plain, "state": state, "due": due})


DUTIES = [
    duty("due", "2026-08-01T00:00:00Z", why="last done 2026-05-03T00:00:00Z"),
    duty("overdue", "2026-06-20T00:00:00Z", commitment="report"),
    duty("breached", "2026-09-01T00:00:00Z", commitment="heartbeat", subject="lab", model="lab"),
    duty("breached", "2026-02-01T00:00:00Z", commitment="preserve"),
    duty("kept", "2026-08-01T00:00:00Z", commitment="interview"),
    duty("due", None, commitment="assessment"),
    duty("due", "2026-08-02T00:00:00Z", commitment="notice", about="api"),
    duty("due", "2026-08-03T00:00:00Z", commitment="notice", about="api"),
]


def test_the_calendar_of_duties_is_golden_and_shows_what_is_still_to_be_done(
    golden: Golden,
) -> None:
    text = duties_calendar(DUTIES, HOUSE, NOW)
    golden("duties.ics", text)
    found = events(text)
    assert set(found) == {
        "duty-full-read-alder-1@example.org",
        "duty-report-alder-1@example.org",
        "duty-heartbeat-lab@example.org",
        "duty-notice-alder-1-api@example.org",
        "duty-notice-alder-1-api-2@example.org",
    }
    said = found["duty-full-read-alder-1@example.org"].description
    assert said.splitlines() == [
        "Every byte is read within 90 days.",
        "Owner: archivist",
        "last done 2026-05-03T00:00:00Z",
    ]


@given(st.text(max_size=300))
def test_folding_never_cuts_a_character(text: str) -> None:
    life = lives([registered("alder-1", "Alder 1", surfaces=["api"])])[ModelId("alder-1")]
    odd = ModelLife.convert({**life.plain(), "title": text, "ended": {"api": NOW}})
    (event,) = events(lifecycle_calendar([odd], HOUSE)).values()
    assert event.day == date(2026, 7, 1)


@pytest.mark.parametrize("moment", ["9999-12-31T00:00:00Z", "9999-12-30T00:00:00Z"])
def test_the_last_day_of_all_is_a_day_too(moment: str) -> None:
    life = lives([registered("a", "A", surfaces=["api"], not_before={"api": moment})])
    (event,) = events(lifecycle_calendar(life.values(), HOUSE)).values()
    assert event.day == date.fromisoformat(Instant(moment)[:10])
