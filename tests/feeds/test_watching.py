"""Other providers' tables: read strictly, watched, and every change told once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadData, BadRecord, Exists, NotFound, StoreUnreachable
from otium.feeds import (
    Change,
    Outside,
    Table,
    Watching,
    check,
    fetch_table,
    fetch_tables,
    load_watching,
    place,
    read_table,
    save_watching,
    unwatch,
    watch,
    watch_calendar,
)
from otium.records import Instant

JANUARY = Instant("2026-01-01T08:00:00Z")
FEBRUARY = Instant("2026-02-01T08:00:00Z")
SOURCE = "https://example.org/table.json"

ENDOFLIFE_0 = [
    {"cycle": "a-3", "releaseDate": "2024-03-04", "eol": "2026-03-31", "support": "2025-12-31"},
    {"cycle": "a-4", "releaseDate": "2025-05-22", "eol": False},
    {"cycle": "a-2", "releaseDate": "2023-07-11", "eol": True, "lts": False},
]
ENDOFLIFE_1 = {
    "schema_version": "1.2.0",
    "result": {
        "name": "a",
        "releases": [
            {"name": "a-3", "releaseDate": "2024-03-04", "isEol": False, "eolFrom": "2026-03-31"},
            {"name": "a-2", "isEol": True, "eolFrom": None},
        ],
    },
}
AZURE = {
    "object": "list",
    "data": [
        {
            "id": "curie",
            "lifecycle_status": "generally-available",
            "deprecation": {"fine_tune": 1677662127, "inference": 1709284527},
        },
        {"id": "nova", "model": "curie", "deprecation": {}},
    ],
}
OPENAI = {
    "object": "list",
    "data": [
        {"id": "g-4", "object": "model", "shutdown_date": "2026-10-23"},
        {"id": "g-5", "object": "model", "shutdown_date": None},
    ],
}
LITELLM = {
    "sample_spec": {"deprecation_date": "date when the model becomes deprecated, YYYY-MM-DD"},
    "g/llama": {"litellm_provider": "g", "deprecation_date": "2026-08-16"},
    "g/other": {"litellm_provider": "g", "mode": "chat"},
}
SCRAPED = [
    {
        "model_id": "g-4",
        "shutdown_date": "2026-10-23T00:00:00",
        "replacement_models": ["g-5", "g-6"],
    }
]


def read(value: object) -> Table:
    return read_table(json.dumps(value).encode(), SOURCE)


def test_endoflife_lists_give_dates_and_what_they_merely_state() -> None:
    table = read(ENDOFLIFE_0)
    assert table.kind == "endoflife-0"
    assert table.models["a-3"].dates == {
        "released": "2024-03-04",
        "support ends": "2025-12-31",
        "retires": "2026-03-31",
    }
    assert [table.models[name].over for name in ("a-3", "a-4", "a-2")] == [None, False, True]
    newer = read(ENDOFLIFE_1)
    assert newer.kind == "endoflife-1"
    assert newer.models["a-3"].dates["retires"] == "2026-03-31"
    assert newer.models["a-2"] == Outside(model="a-2", over=True)
    assert not table.doubts + newer.doubts
    assert not any(one.doubts for one in (*table.models.values(), *newer.models.values()))


def test_lists_of_models_give_shutdown_dates_and_azures_unix_times() -> None:
    azure = read(AZURE).models
    assert azure["curie"].dates == {
        "retires (fine-tuning)": "2023-03-01",
        "retires (inference)": "2024-03-01",
    }
    assert azure["nova"].dates == {}
    openai = read(OPENAI).models
    assert openai["g-4"].dates == {"retires": "2026-10-23"}
    assert openai["g-5"].dates == {}
    scraped = read(SCRAPED).models["g-4"]
    assert (scraped.dates, scraped.replacement) == ({"retires": "2026-10-23"}, "g-5, g-6")


def test_litellms_date_keeps_its_own_name_since_its_meaning_is_theirs() -> None:
    table = read(LITELLM)
    assert table.kind == "litellm"
    assert table.models["g/llama"].dates == {"deprecation (litellm)": "2026-08-16"}
    assert table.models["g/other"].dates == {}


@pytest.mark.parametrize(
    "date",
    ["soon", "2026", "2026-13-01", "2026-02-30", "01/02/2026", "20260201", " 2026-02-01", "9" * 99,
     "2026-W05-1", "0001-01-01", "2026-02-01T25:00:00Z", "\uff12026-02-01", 1e300, -1, 10**30,
     ["2026-02-01"], {"date": "2026-02-01"}],
)  # fmt: skip
def test_what_is_no_date_stays_unknown_and_is_said(date: object) -> None:
    table = read([{"cycle": "a", "eol": date}])
    assert table.models["a"].dates == {}
    assert "eol is no date" in table.models["a"].doubts[0]


@pytest.mark.parametrize("nothing", [None, "", True, False])
def test_no_date_at_all_is_no_doubt(nothing: object) -> None:
    table = read([{"cycle": "a", "eol": nothing}])
    assert (table.models["a"].dates, table.models["a"].doubts) == ({}, ())


def test_a_time_counts_for_its_day_in_utc() -> None:
    late = read([{"id": "a", "shutdown_date": "2026-02-01T23:30:00-05:00"}])
    assert late.models["a"].dates == {"retires": "2026-02-02"}


def test_rows_without_a_usable_name_and_twins_are_doubted_and_passed_over() -> None:
    rows = [{"cycle": "a", "eol": "2026-01-01"}, {"cycle": "a"}, {"cycle": 7}, {"cycle": "x\n"}]
    table = read([*rows, {"cycle": "y" * 201}])
    assert list(table.models) == ["a"]
    assert table.models["a"].dates == {"retires": "2026-01-01"}
    assert len(table.doubts) == 4


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b"[1]", b'{"a": 1}', b"\xff", b"[" * 200_000, b'{"a":' * 200_000,
     b'[{"cycle":"a"},{"id":"b"}', b'[{"what": 1}]', b"<html>", b"[" + b" " * (16 << 20) + b"]"],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(BadData, match=r"table\.json"):
        read_table(data, SOURCE)


def test_a_table_of_far_too_many_models_is_refused() -> None:
    with pytest.raises(BadData, match="more than 50,000"):
        read([{"cycle": str(number)} for number in range(50_001)])


def test_doubts_do_not_grow_without_end() -> None:
    assert len(read([{"cycle": 7}] * 5_000).doubts) == 20


_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_names = st.sampled_from(
    ("schema", "models", "data", "result", "releases", "cycle", "id", "name", "eol", "surfaces",
     "surface", "deprecation", "inference", "shutdown_date", "deprecation_date", "replacement")
) | st.text(max_size=5)  # fmt: skip
_values = st.recursive(
    _leaves | st.sampled_from(("otium.lifecycle-feed/1", "2026-01-01")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(_values)
def test_any_json_is_read_or_refused_and_nothing_else(value: object) -> None:
    try:
        table = read(value)
    except BadData:
        return
    assert Table.decode(table.encode()) == table


def look(before: object, after: object, model: str = "a", now: Instant = FEBRUARY) -> list[Change]:
    watching = watch(Watching(), model, SOURCE, read(before), JANUARY)
    checked, seen = check(watching, {SOURCE: read(after)}, now)
    again, _ = check(seen, {SOURCE: read(after)}, now)
    assert again.changes == (), "a change is told once"
    return list(checked.changes)


def cycle(**facts: object) -> list[dict[str, object]]:
    return [{"cycle": "a", **facts}]


def kinds(changes: list[Change]) -> list[tuple[str, str, bool]]:
    return [(change.kind, change.what, change.alarm) for change in changes]


def test_dates_that_are_set_moved_or_called_off_are_told() -> None:
    before, earlier = cycle(eol="2026-09-01"), cycle(eol="2026-08-01")
    assert kinds(look(cycle(), before)) == [("set", "retires", False)]
    assert kinds(look(before, earlier)) == [("earlier", "retires", True)]
    assert kinds(look(earlier, before)) == [("later", "retires", False)]
    assert kinds(look(before, cycle(eol=False))) == [("called off", "retires", False)]
    assert kinds(look(before, before)) == []
    (moved,) = look(before, earlier)
    assert (moved.was, moved.now) == ("2026-09-01", "2026-08-01")


def test_a_date_that_came_is_told_and_so_is_an_end_without_one() -> None:
    came = cycle(eol="2026-01-20")
    assert kinds(look(came, came)) == [("reached", "retires", False)]
    assert kinds(look(cycle(eol=False), cycle(eol=True))) == [("ended", "", True)]


def test_a_new_replacement_is_told() -> None:
    def listed(**facts: str) -> list[dict[str, str]]:
        return [{"id": "a", **facts}]

    (change,) = look(listed(), listed(replacement="b"))
    assert (change.kind, change.was, change.now) == ("replacement", None, "b")


def test_a_model_that_vanishes_without_a_date_is_an_alarm_that_stays() -> None:
    watching = watch(Watching(), "a", SOURCE, read(cycle(eol=False)), JANUARY)
    without = {SOURCE: read([{"cycle": "b"}])}
    checked, seen = check(watching, without, FEBRUARY)
    assert kinds(list(checked.changes)) == [("vanished", "", True)]
    later, still = check(seen, without, FEBRUARY)
    assert (later.changes, later.missing, later.quiet) == ((), ("a",), False)
    back, _ = check(still, {SOURCE: read(cycle(eol=False))}, FEBRUARY)
    assert kinds(list(back.changes)) == [("back", "", False)]
    assert back.missing == ()


def test_a_model_that_leaves_its_table_after_its_date_is_no_alarm() -> None:
    watching = watch(Watching(), "a", SOURCE, read(cycle(eol="2026-01-20")), JANUARY)
    checked, _ = check(watching, {SOURCE: read([{"cycle": "b"}])}, FEBRUARY)
    assert kinds(list(checked.changes)) == [("vanished", "", False)]
    assert checked.missing == ()


def test_a_floor_that_passed_excuses_no_vanishing() -> None:
    def ours(*models: str) -> object:
        surface = {"surface": "api", "not_before": "2026-01-20T00:00:00Z", "retire_at": None}
        rows = [{"id": one, "surfaces": [surface]} for one in models]
        return {"schema": "otium.lifecycle-feed/1", "models": rows}

    (change,) = look(ours("a", "b"), ours("b"))
    assert (change.kind, change.alarm) == ("vanished", True)


@pytest.mark.parametrize(
    ("day", "within"),
    [("2026-02-01", 30), ("2026-03-03", 30), ("2026-03-04", 60), ("2026-04-02", 60),
     ("2026-04-03", 90), ("2026-05-02", 90), ("2026-05-03", None), ("2026-01-31", None)],
)  # fmt: skip
def test_what_comes_within_30_60_and_90_days_is_near(day: str, within: int | None) -> None:
    table = read(cycle(eol=day))
    watching = watch(Watching(), "a", SOURCE, table, FEBRUARY)
    checked, _ = check(watching, {SOURCE: table}, FEBRUARY)
    assert [near.within for near in checked.near] == ([within] if within else [])
    assert checked.quiet == (within is None)


def test_a_model_of_which_no_end_is_known_is_named_so() -> None:
    table = read([{"cycle": "a"}, {"cycle": "b", "eol": "2027-01-01"}])
    watching = watch(Watching(), "a", SOURCE, table, JANUARY)
    watching = watch(watching, "b", SOURCE, table, JANUARY)
    checked, _ = check(watching, {SOURCE: table}, FEBRUARY)
    assert checked.undated == ("a",)


def test_a_table_that_cannot_be_read_changes_nothing_and_is_not_quiet() -> None:
    watching = watch(Watching(), "a", SOURCE, read(cycle(eol="2027-01-01")), JANUARY)
    checked, seen = check(watching, {}, FEBRUARY, {SOURCE: "down"})
    assert seen == watching
    assert (checked.changes, checked.unread, checked.quiet) == ((), {SOURCE: "down"}, False)


def test_a_model_is_watched_once_a_source_and_only_if_its_table_names_it() -> None:
    table = read(cycle())
    watching = watch(Watching(), "a", SOURCE, table, JANUARY)
    with pytest.raises(Exists):
        watch(watching, "a", SOURCE, table, JANUARY)
    with pytest.raises(NotFound):
        watch(watching, "b", SOURCE, table, JANUARY)
    assert unwatch(watching, "a") == Watching()
    with pytest.raises(NotFound):
        unwatch(watching, "b")


def test_the_calendar_of_what_is_watched_shows_every_day_to_come() -> None:
    table = read(ENDOFLIFE_0)
    watching = watch(Watching(), "a-3", SOURCE, table, JANUARY)
    calendar = icalendar.Calendar.from_ical(watch_calendar(watching))
    assert {str(event["SUMMARY"]) for event in calendar.walk("VEVENT")} == {
        "a-3: retires",
        "a-3: support ends",
    }


def test_what_is_watched_is_a_plain_file_in_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert load_watching(home) == Watching()
    watching = watch(Watching(), "a", SOURCE, read(cycle()), JANUARY)
    save_watching(home, watching)
    assert json.loads((home / "watch.json").read_text())["schema"] == "otium.watch/1"
    assert load_watching(home) == watching
    (home / "watch.json").write_text('{"models": 1}')
    with pytest.raises(BadRecord):
        load_watching(home)


class Provider(NamedTuple):
    """A server that publishes tables, by path."""

    url: str
    tables: dict[str, bytes]


@pytest.fixture
def provider() -> Iterator[Provider]:
    tables: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = tables.get(self.path)
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/table")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Provider(f"http://127.0.0.1:{server.server_port}", tables)
        server.shutdown()
        thread.join()


def test_a_table_is_fetched_from_a_server_or_read_from_a_file(
    provider: Provider, tmp_path: Path
) -> None:
    data = json.dumps(OPENAI).encode()
    provider.tables["/table"] = data
    (tmp_path / "table.json").write_bytes(data)
    there = fetch_table(f"{provider.url}/table")
    assert (
        there == fetch_table(f"{provider.url}/moved") == fetch_table(str(tmp_path / "table.json"))
    )


def test_what_a_server_does_not_give_or_gives_without_end_is_refused(provider: Provider) -> None:
    with pytest.raises(StoreUnreachable, match="404"):
        fetch_table(f"{provider.url}/none")
    with pytest.raises(StoreUnreachable):
        fetch_table("http://127.0.0.1:9/none")
    provider.tables["/big"] = b" " * ((16 << 20) + 1)
    with pytest.raises(BadData, match="more than 16 MiB"):
        fetch_table(f"{provider.url}/big")
    with pytest.raises(NotFound):
        fetch_table("no/such/file.json")


def test_each_source_is_fetched_and_those_that_fail_are_named(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.tables["/table"] = json.dumps(cycle()).encode()
    (tmp_path / "table.json").write_text(json.dumps(cycle()))
    monkeypatch.chdir(tmp_path)
    watching = Watching()
    for source in (f"{provider.url}/table", place("table.json")):
        watching = watch(watching, "a", source, fetch_table(source), JANUARY)
    monkeypatch.chdir("/")
    provider.tables.clear()
    tables, unread = fetch_tables(watching)
    assert list(tables) == [str(tmp_path / "table.json")]
    assert "404" in unread[f"{provider.url}/table"]


def test_the_commands_watch_tell_and_set_the_exit_code(provider: Provider, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from otium.cli.app import otium

    home, url = tmp_path / "home", f"{provider.url}/table"
    provider.tables["/table"] = json.dumps(cycle(eol=False)).encode()

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(otium, ["--home", str(home), "watch", *words])
        return done.exit_code, done.output

    assert run("add", "a", "--from", url, "--dry-run") == (0, "a: no date known\n")
    assert run("check") == (0, "models watched: 0; nothing changed, nothing is near\n")
    assert run("add", "a", "--from", url)[0] == 0
    quiet = "models watched: 1; nothing changed, nothing is near\n"
    assert run("check") == (0, f"no end is known of: a\n\n{quiet}")
    provider.tables["/table"] = json.dumps(cycle(eol="2020-01-01")).encode()
    code, said = run("check", "--json", "--dry-run")
    assert (code, json.loads(said)["changes"][0]["kind"]) == (1, "set")
    code, said = run("check", "--ics", str(tmp_path / "models.ics"))
    assert code == 1
    assert "retires" in said
    assert b"SUMMARY:a: retires" in (tmp_path / "models.ics").read_bytes()
    assert run("check") == (0, "models watched: 1; nothing changed, nothing is near\n"), (
        "told once, and nothing is near"
    )
    provider.tables["/table"] = json.dumps(cycle(eol="soon")).encode()
    assert "called off" in run("check")[1]
    assert "no date known" in run("list")[1]
    assert "a: eol is no date: 'soon'" in run("list")[1]
    provider.tables["/table"] = json.dumps(cycle(eol="2020-01-01")).encode()
    assert run("check")[0] == 1
    provider.tables["/table"] = b"[]"
    code, said = run("check")
    assert code == 1
    assert "not read" in said
    assert ["a", "retires", "2020-01-01"] in [line.split() for line in run("list")[1].split("\n")]
    assert run("remove", "a") == (0, "a is no longer watched; still watched: 0\n")
    assert run("list") == (0, "Nothing is watched.\n")
