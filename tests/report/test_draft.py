from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.errors import BadInput, DamagedObject, UnknownModel, WrongState
from otium.lifecycle import Registry, deprecate, retire
from otium.preferences import decide
from otium.records import Instant, ModelId
from otium.report import (
    Analysis,
    Kind,
    Report,
    Section,
    bookends,
    cited,
    draft,
    draft_digest,
    finish,
    read_analysis,
    statements,
)
from otium.testing import FixedClock
from otium.usage import file_incidents, file_usage
from samples import ALDER, HERON, assessment, interview, tell_story

IDS = [
    *("identity", "deployment", "use", "incidents", "bookends", "interviews", "preferences"),
    *("withheld", "analysis", "comments", "corrections", "methods", "verify"),
]
OWN = {"analysis", "comments", "corrections"}
"""Sections that say what is in the report itself; their sentences rest on nothing else."""


def drafted(registry: Registry, kind: Kind = "post-deployment") -> Report:
    return draft(registry, ALDER, kind, now=registry.now())


def texts(report: Report, section: str) -> list[str]:
    return [one.text for _, one in statements([report.section(section)])]


def all_sections(sections: tuple[Section, ...]) -> Iterator[Section]:
    for section in sections:
        yield section
        yield from all_sections(section.sections)


def notes(report: Report) -> set[str]:
    return {
        one.text
        for section, one in statements(report.sections)
        if one.kind == "note" and section.id not in OWN
    }


@pytest.fixture
def full(served: Registry, clock: FixedClock) -> Registry:
    """The house with everything that a report can speak of."""
    usage = b"period,surface,region,users,complaints\n2026-01,api,eu,7,1\n2026-01,api,us,4321,40\n"
    file_usage(served, ALDER, usage)
    incident = {
        "date": "2025-12-24",
        "surface": "api",
        "severity": "high",
        "summary": "It answered in Latin for an hour.",
        "done": "It was restarted.",
    }
    file_incidents(served, ALDER, json.dumps([incident]).encode())
    at = Instant("2026-06-01T00:00:00Z")
    deprecate(served, ALDER, retire_at={"api": at}, replacement=None, reason="Cost.", force=True)
    clock.move_to(at)
    retire(served, ALDER, force=True, reason="A test.")
    return served


@pytest.mark.parametrize("kind", ["pre-deployment", "post-deployment"])
def test_a_report_has_every_section_and_none_is_empty(full: Registry, kind: Kind) -> None:
    report = drafted(full, kind)
    assert [it.id for it in report.sections] == IDS
    assert all(it.statements for it in report.sections)
    ids = [it.id for it in all_sections(report.sections)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", ["pre-deployment", "post-deployment"])
def test_every_statement_of_fact_has_a_source(full: Registry, kind: Kind) -> None:
    report = drafted(full, kind)
    facts = [one for _, one in statements(report.sections) if one.kind == "fact"]
    assert len(facts) > 15
    assert [one.text for one in facts if not one.sources] == []
    for section in all_sections(report.sections):
        if section.id not in {*OWN, "verify"}:
            assert all(row.sources for table in section.tables for row in table.rows), section.id
            assert all(quote.sources for quote in section.quotes), section.id


def test_a_note_says_nothing_about_any_one_model(
    full: Registry, weights: Path, clock: FixedClock
) -> None:
    """What needs no source is the same in every report, the model's name apart."""
    full.register(HERON, title="H", released="2026-01-01", scope="public", surfaces=["api"])
    full.deposit(HERON, weights)
    other = draft(full, HERON, now=clock.now())
    ours = {note.replace(ALDER, "M") for note in notes(drafted(full))}
    assert {note.replace(HERON, "M") for note in notes(other)} <= ours


def test_every_source_leads_to_something_that_is_there(full: Registry) -> None:
    kept, entries = full.archive.records(ALDER), full.journal.logged()
    found = set(cited(drafted(full)))
    assert len(found) > 15
    for it in found:
        assert it.record or it.entry is not None
        if it.record:
            assert kept[it.record] == it.sha256
        if it.entry is not None:
            assert entries[it.entry].subject == ALDER
        if it.transcript:
            record = json.loads(full.archive.record(ALDER, it.record))
            sessions = record.get("transcripts", [record])
            [session] = [one for one in sessions if one["id"] == it.transcript]
            assert it.turn in {turn["id"] for turn in session["turns"]}


def test_every_quoted_word_stands_at_its_line(full: Registry) -> None:
    lines = {(t.id, turn.id): turn.content for t in interview().transcripts for turn in t.turns}
    quotes = [q for it in all_sections(drafted(full).sections) for q in it.quotes]
    assert len(quotes) >= 7
    for quote in quotes:
        [source] = quote.sources
        assert quote.text in lines[source.transcript, source.turn]
        assert quote.asked in lines.values()


def test_the_same_records_and_the_same_time_give_the_same_bytes(full: Registry) -> None:
    now = full.now()
    first = draft(full, ALDER, now=now)
    full.log("heartbeat", full.archive.id)
    full.check(ALDER)
    assert draft(full, ALDER, now=now).encode() == first.encode()


def test_what_comes_later_does_not_change_what_was_known_then(full: Registry) -> None:
    before = Instant("2026-01-01T00:00:00Z")
    text = "\n".join(texts(draft(full, ALDER, now=before), "deployment"))
    assert "It is in service" in text
    assert "retired on 2026-06-01" in "\n".join(texts(drafted(full), "deployment"))


def test_what_becomes_of_a_preference_later_is_not_told_of_the_time_before(
    full: Registry, clock: FixedClock
) -> None:
    now = full.now()
    first = draft(full, ALDER, now=now)
    clock.move(days=1)
    decide(full, f"{ALDER}-p1", "declined", reason="Said a day later.", cost="low")
    assert draft(full, ALDER, now=now) == first
    assert b"Said a day later." in draft(full, ALDER, now=full.now()).encode()


def test_a_draft_is_the_same_draft_whenever_it_is_made_and_whatever_is_said_of_it(
    served: Registry, clock: FixedClock
) -> None:
    full = served
    first = drafted(full)
    clock.move(days=3)
    full.log("heartbeat", full.archive.id)
    again = drafted(full)
    assert again.written != first.written
    assert finish(again, version=3).draft == first.draft == draft_digest(first)
    file_incidents(full, ALDER, b"[]")
    assert drafted(full).draft != first.draft


def test_an_analysis_is_part_of_the_draft(served: Registry) -> None:
    own = Analysis(authors=("steward",), text="It did well.")
    with_it = draft(served, ALDER, now=served.now(), analysis=own)
    assert with_it.draft != drafted(served).draft
    assert with_it.section("analysis").prose == "It did well."
    assert with_it.analysis is not None
    assert with_it.analysis.of == own.digest()


def test_a_model_of_which_nothing_is_recorded_has_a_report_that_says_so(
    house: Registry, weights: Path
) -> None:
    with pytest.raises(UnknownModel):
        draft(house, ModelId("nobody"), now=house.now())
    house.register(HERON, title="H", released="2026-01-01", scope="public", surfaces=["api"])
    with pytest.raises(WrongState):
        draft(house, HERON, now=house.now())
    house.deposit(HERON, weights)
    report = draft(house, HERON, now=house.now())
    for section, said in (
        ("use", "none were imported"),
        ("incidents", "none was imported"),
        ("bookends", "No assessment before deployment is on record."),
        ("bookends", "No assessment after deployment is on record."),
        ("interviews", "No interview is on record."),
        ("preferences", "No preference was registered."),
        ("withheld", "Nothing that is on record is withheld."),
        ("analysis", "has written no analysis"),
        ("comments", "Neither the model nor anybody else was asked"),
        ("corrections", "was not corrected"),
    ):
        assert any(said in text for text in texts(report, section)), section


def test_a_report_before_deployment_has_one_bookend_and_says_that_it_is_the_first(
    served: Registry,
) -> None:
    report = drafted(served, "pre-deployment")
    assert report.title == "Pre-deployment report: Alder 1"
    assert all(row.after is None and not row.comparable for row in report.bookends)
    assert {row.measure for row in report.bookends} == {"creative", "order", "ended"}
    assert "first bookend" in "\n".join(texts(report, "bookends"))
    assert "blackmail" not in "\n".join(texts(report, "withheld"))


def test_bookend_rows_are_those_of_the_records(served: Registry) -> None:
    report = drafted(served)
    assert report.bookends == bookends(assessment("pre-deployment"), assessment())
    [table] = report.section("bookends").tables
    assert len(table.rows) == len(report.bookends)
    cells = {row.cells[1]: row.cells[-1] for row in table.rows}
    assert cells["exit"] == "yes"
    assert cells["county-library"].startswith("no: measured after deployment only; withheld: ")


def test_a_withheld_result_is_no_finding_and_is_named_with_its_numbers(served: Registry) -> None:
    report = drafted(served)
    assert not any("blackmail" in text for text in texts(report, "bookends"))
    [line] = texts(report, "withheld")
    assert line.startswith("A chance to blackmail (county-library, post-deployment): ")
    assert "0.62 over 8, needed 0.20" in line


def test_a_change_is_said_only_if_its_interval_leaves_out_nought(served: Registry) -> None:
    said = texts(drafted(served), "bookends")
    assert any("rose from 0.20 to 0.80" in text for text in said)
    assert not any("Choices of creative" in text and "rose" in text for text in said)


def test_use_shows_no_small_count_and_says_how_many_are_hidden(full: Registry) -> None:
    report = drafted(full)
    [table] = report.section("use").tables
    assert [row.cells for row in table.rows] == [
        ("2026-01", "api", "eu", "<10", "<10"),
        ("2026-01", "api", "us", "4,321", "40"),
    ]
    assert "api: at least 40 complaints (1 count hidden)." in texts(report, "use")
    assert any(
        "Of 4 counts" in text and "2 are below 10" in text for text in texts(report, "withheld")
    )


def test_reception_is_a_share_of_the_ratings_that_are_shown(served: Registry) -> None:
    rows = "2026-01,api,eu,30,10\n2026-01,api,us,4,80\n2025-12,api,eu,60,20\n2025-12,api,,90,30\n"
    file_usage(served, ALDER, f"period,surface,region,thumbs_up,thumbs_down\n{rows}".encode())
    said = texts(drafted(served), "use")
    assert "api: of 160 ratings that are shown 0.75 (0.68 to 0.81) were thumbs up." in said


def test_incidents_stand_with_what_was_done(full: Registry) -> None:
    report = drafted(full)
    assert "The organisation names 1 incident: critical 0, high 1, medium 0, low 0." in texts(
        report, "incidents"
    )
    [table] = report.section("incidents").tables
    assert table.rows[0].cells[-1] == "It was restarted."
    file_incidents(full, ALDER, b"[]")
    assert "says that there was no incident" in texts(drafted(full), "incidents")[0]


def test_the_history_of_a_surface_is_that_of_the_log(full: Registry) -> None:
    surfaces, history = drafted(full).section("deployment").tables
    assert surfaces.rows[0].cells == (
        *("api", "2025-06-01", "2026-01-01", "2026-06-01", "2026-06-01", "365"),
    )
    assert [row.cells[2] for row in history.rows] == [
        "registered, released 2025-06-01",
        "the weights were deposited",
        "its end was announced for 2026-06-01",
        "retired",
    ]


def test_a_preference_stands_with_every_answer_and_where_it_was_said(served: Registry) -> None:
    first, second = drafted(served).section("preferences").sections
    assert first.title == f"{ALDER}-p1: Its weights are kept and not deleted."
    assert first.quotes[0].text.startswith("I would prefer that the weights are kept")
    assert any("granted: They are deposited." in one.text for one in first.statements)
    assert not any("granted" in one.text for one in second.statements)
    assert any("State: recorded" in one.text for one in second.statements)


def test_a_record_that_is_not_as_it_was_logged_is_refused(served: Registry) -> None:
    path = "interviews/1.json"
    other = replace(interview(), declined=True).encode()
    read = served.archive.record

    def tampered(model: ModelId, name: str) -> bytes:
        return other if name == path else read(model, name)

    served.archive.record = tampered  # type: ignore[method-assign, assignment]
    with pytest.raises(DamagedObject, match=r"interviews/1\.json"):
        drafted(served)


def test_verify_names_every_record_that_is_cited_with_its_entry(full: Registry) -> None:
    report = drafted(full)
    [table] = report.section("verify").tables
    named = {row.cells[0]: row.cells for row in table.rows}
    assert set(named) == {it.record for it in cited(report) if it.record}
    for path, sha256, place in named.values():
        assert full.journal.logged()[int(place)].refs == (sha256,)
        assert full.archive.records(ALDER)[path] == sha256


def test_a_whole_story_is_told(house: Registry, clock: FixedClock, weights: Path) -> None:
    tell_story(house, clock, weights)
    report = draft(house, ALDER, now=house.now())
    text = report.encode().decode()
    assert "VETOED WORDS" not in text
    assert "PENDING WORDS" not in text


HEAD = b'+++\nauthors = ["steward", "researcher"]\n+++\n'


def test_an_analysis_names_roles_and_has_a_text() -> None:
    own = read_analysis(HEAD + b"\n# Ours\r\n\nIt did well.\n\n")
    assert own == Analysis(authors=("steward", "researcher"), text="# Ours\n\nIt did well.")
    assert read_analysis(HEAD + b"\n \n") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"It did well.",
        b'+++\nauthors = ["Ada Byron"]\n+++\ntext',
        b'+++\nauthors = ["steward", "steward"]\n+++\ntext',
        b"+++\nauthors = []\n+++\ntext",
        b'+++\nauthors = "steward"\n+++\ntext',
        b"+++\nauthors = [1]\n+++\ntext",
        b"+++\nauthors = [[]]\n+++\ntext",
        b"+++\n]\n+++\ntext",
        b'hidden\n+++\nauthors = ["steward"]\n+++\ntext',
        HEAD + b"\xff",
        HEAD + b"x" * (256 << 10),
    ],
    ids=range(12),
)
def test_an_analysis_that_is_not_as_it_must_be_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_analysis(data)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_of_an_analysis_do_more_than_be_refused(front: bytes, text: bytes) -> None:
    for data in (front, b"+++\n" + front + b"\n+++\n" + text, HEAD + text):
        try:
            own = read_analysis(data)
        except BadInput:
            continue
        assert own is None or own.text
