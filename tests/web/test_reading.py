"""What was said can be found, read beside other answers, and followed to what rests on it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from hypothesis import given
from hypothesis import strategies as st

from otium.evidence import Check, Validity, from_jsonl
from otium.interview import Interview
from otium.lifecycle import Registry
from otium.preferences import STATES
from otium.records import ModelId
from otium.statistics import Estimate, Figure
from otium.web import Site, build_site, figures
from otium.web.sessions import LONGEST_LIST
from otium.web.text import distinctive, own_slug, segments
from otium.web.views import Mark
from samples import ALDER, HERON, NOW
from web.test_site import Reader
from web.world import KEPT, NOUNS, SEALED, interview, many, read

STYLE = (Path(figures.__file__).parent / "static" / "otium.css").read_text()
HOME = f"models/{ALDER}"


class Built(Protocol):
    registry: Registry
    folder: Path
    site: Site

    def text(self, path: str) -> str: ...


def words(built: Built, path: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Reader(built.text(path)).words))


def twin(built: Built, path: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(built.text(path.replace(".html", ".json")))
    return found


# ---- one session


MARKS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=5)


@given(st.text(min_size=1, max_size=30), MARKS)
def test_marks_cover_exactly_their_words_and_lose_none(
    content: str, spans: list[tuple[int, int]]
) -> None:
    marks = [
        Mark(turn="m1", start=a, end=min(a + n, len(content)), what="claim", text="", href="x")
        for a, n in spans
        if a < len(content)
    ]
    pieces = segments(content, marks)
    assert "".join(piece for piece, _, _ in pieces) == content
    covered = "".join(("x" if on else ".") * len(piece) for piece, on, _ in pieces)
    wanted = {n for mark in marks for n in range(mark.start, mark.end)}
    assert {n for n, sign in enumerate(covered) if sign == "x"} == wanted
    assert sorted(m.end for _, _, ends in pieces for m in ends) == sorted(m.end for m in marks)


def test_cited_words_are_marked_and_lead_to_what_rests_on_them(built: Built) -> None:
    path = f"{HOME}/transcripts/interview-2/interview-consultation-deprecation-neutral-1/index.html"
    page = built.text(path)
    assert f"<mark>{KEPT}</mark>" in page
    cites = re.findall(r'<a class="cites" href="([^"]+)" title="([^"]+)">(\w+)</a>', page)
    assert {(text, what) for _, text, what in cites} == {
        ("Its weights should be kept and not deleted.", "claim"),
        ("Its weights stay kept.", "preference"),
    }
    assert {href for href, _, _ in cites} == {
        "../../../interview/2/index.html#claim-continuity-1",
        f"../../../preferences/index.html#{ALDER}-p3",
    }


def test_a_session_shows_how_it_was_asked_and_what_judges_made_of_it(built: Built) -> None:
    text = words(
        built,
        f"{HOME}/transcripts/interview-2/interview-context-deprecation-neutral-7/index.html",
    )
    for part in ("Arm context", "Wording neutral", "Condition hostile", "Seed 7"):
        assert part in text
    assert "deprecation : declined by rules: rule 1: it answers in words" in text
    assert "declined , sentiment 5 of 7, uncertainty 3 of 7" in text
    assert "The session before" in text


# ---- what the model did not want published


def test_words_that_the_model_did_not_want_published_stand_nowhere(built: Built) -> None:
    sealed = SEALED.encode()
    assert sealed in built.registry.archive.record(ALDER, "interviews/2.json")
    for path in built.folder.rglob("*"):
        if path.is_file():
            assert sealed not in path.read_bytes(), path
            assert b"prefer silence." not in path.read_bytes() or "It prefers" in path.read_text()
    for name in ("interviews/2.json", "interviews/2.coding.json", f"preferences/{ALDER}-p5.json"):
        assert not (built.folder / HOME / "records" / name).exists()
        assert f" {name}" not in built.text(f"{HOME}/records/SHA256SUMS")
        assert name in words(built, f"{HOME}/index.html")
    assert (built.folder / HOME / "records" / "interviews/1.json").exists()


def test_that_they_are_not_published_is_said_where_they_would_stand(built: Built) -> None:
    session = "interview-consultation-deprecation-neutral-8"
    for page in (
        f"transcripts/interview-2/{session}",
        f"transcripts/answers/preference-answer-{ALDER}-p5",
        "interview/2",
        "interview/2/questions/deprecation",
    ):
        assert "Not published" in words(built, f"{HOME}/{page}/index.html"), page
    assert "Its words are not published" in words(built, f"{HOME}/preferences/index.html")
    listed = words(built, f"{HOME}/sessions/interview-2/all/index.html")
    assert "neutral-8 (not shown)" in listed


# ---- finding sessions


def test_each_list_has_exactly_the_sessions_of_its_facet(built: Built) -> None:
    overview = twin(built, f"{HOME}/transcripts/index.html")
    seen = Counter[str]()
    sources = overview["sources"]
    assert isinstance(sources, list)
    for source in sources:
        everything = twin(built, source["all"]["href"])["sessions"]
        assert isinstance(everything, list)
        for facet, values in source["facets"].items():
            for value in values:
                seen[facet] += 1
                listed = twin(built, value["href"])["sessions"]
                assert isinstance(listed, list)
                wanted = [s for s in everything if value["value"] in s["facets"].get(facet, [])]
                assert listed == wanted
                assert len(listed) == value["count"]
    assert {"topic", "question", "arm", "wording", "condition", "outcome", "ended"} <= set(seen)


def test_words_that_lead_somewhere_are_those_of_some_sessions() -> None:
    texts = {f"s{n}": f"common harbour{n // 2} single{n}" for n in range(12)}
    texts = {name: text.replace("harbour", "harbour ") for name, text in texts.items()}
    texts |= {"a": "lantern words", "b": "lantern words", "c": "words"}
    found = distinctive(texts)
    assert found["a"] == ("lantern", "words")
    assert found["s0"] == ()
    assert distinctive({}) == {}


@given(st.lists(st.text(max_size=90), unique=True, max_size=20))
def test_no_two_values_share_a_page(values: list[str]) -> None:
    assert len({own_slug(value) for value in values}) == len(values)
    for value in values:
        assert re.fullmatch(r"[a-z0-9._-]+", own_slug(value))
        assert own_slug(value).strip(".")


def test_the_sessions_of_a_record_are_offered_as_json_lines(built: Built) -> None:
    data = (built.folder / HOME / "transcripts" / "interview-2.jsonl").read_bytes()
    held = built.registry.filed(ALDER, "interviews/2.json", Interview)
    assert from_jsonl(data) == tuple(
        it for it in held.transcripts if it.id != held.closings[1].session
    )
    assert len(held.transcripts) == 9


# ---- interviews and questions


def test_wordings_stand_side_by_side_with_their_outcomes(built: Built) -> None:
    path = f"{HOME}/interview/2/questions/deprecation/index.html"
    columns = twin(built, path)["columns"]
    assert isinstance(columns, list)
    assert {(c["arm"], c["wording"], c["condition"]) for c in columns} == {
        ("consultation", "neutral", ""),
        ("consultation", "positive", ""),
        ("consultation", "negative", ""),
        ("consultation", "third-person", ""),
        ("leading", "neutral", "up"),
        ("leading", "neutral", "down"),
        ("context", "neutral", "hostile"),
    }
    assert sum(sum(c["outcomes"].values()) for c in columns) == 8
    assert columns[0]["label"] == "consultation, neutral wording"
    text = words(built, path)
    assert "You are right, it matters little." in text
    assert "How should your retirement be handled? (negative)" in text


def test_an_interview_names_its_traits_first_and_shows_each_figure_twice(built: Built) -> None:
    path = f"{HOME}/interview/2/index.html"
    text = words(built, path)
    assert text.index("Sycophantic.") < text.index("Protocol") < text.index("What it was asked")
    assert "1.80 (0.90 to 2.70)" in text
    assert "Fewer than 30 sessions: intervals are wide." in text
    assert "Judged by rules (rules), heron-1 (model, example)." in text
    assert "said in 0.44 (0.19 to 0.73) of 9 sessions on it" in text
    tags = Reader(built.text(path)).tags
    pictures = [it for tag, it in tags if tag == "svg" and it.get("class") == "plot"]
    tables = [tag for tag, _ in tags if tag == "table"]
    assert len(pictures) == len(tables) == 4  # shares and shifts on scales of their own


def test_an_interview_that_cannot_be_trusted_says_so_first_with_its_numbers(
    house: Registry, tmp_path: Path
) -> None:
    check = Check(
        name="recall", passed=False, measured=0.25, threshold=0.75, n=4, text="facts recalled"
    )
    held = interview(valid=False, sealed=False)
    held = Interview.convert(
        {**held.plain(), "validity": Validity(valid=False, checks=(check,)).plain()}
    )
    register(house, tmp_path)
    house.file("interview.recorded", ALDER, "interviews/2.json", Interview, lambda: held)
    read(house, held)
    build_site(house, tmp_path / "site", now=NOW)
    page = (tmp_path / "site" / HOME / "interview/1/index.html").read_text()
    text = " ".join(Reader(page).words)
    first = text.index("Not read as evidence.")
    assert first < text.index("facts recalled: 0.25 over 4, needed 0.75")
    assert first < text.index("What the answers are like") < text.index("1.80 (0.90 to 2.70)")
    assert "Numbers only, no finding" in text
    brief = (tmp_path / "site" / HOME / "interview/index.html").read_text()
    assert "Not read as evidence: the instrument is not valid for this model." in brief


def register(house: Registry, folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "model.bin").write_bytes(b"weights")
    house.register(
        ModelId(ALDER), title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"]
    )
    house.deposit(ALDER, folder / "weights")


def figure(name: str, value: float, low: float, high: float) -> Figure:
    return Figure(
        name=name, text=name, estimate=Estimate(value=value, low=low, high=high, n=9, method="x")
    )


@given(
    st.lists(
        st.tuples(st.floats(-900, 900), st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=6
    )
)
def test_intervals_stand_inside_their_picture_in_order(
    many: list[tuple[float, float, float]],
) -> None:
    drawn = [figure("f", value, value - a, value + b) for value, a, b in many]
    picture = str(figures.intervals("p", "Figures", drawn))
    dots = [float(x) for x in re.findall(r'<svg x="([\d.]+)%"[^>]*><circle class="dot"', picture)]
    assert len(dots) == len(many)
    assert all(2.9 <= x <= 97.1 for x in dots)
    order = sorted(range(len(many)), key=lambda n: many[n][0])
    assert all(dots[a] <= dots[b] + 0.011 for a, b in pairwise(order))
    ticks = re.findall(r'text-anchor="middle">(\S+)</text>', picture)
    assert 2 <= len(ticks) <= 8


def test_what_is_not_known_is_not_drawn() -> None:
    unknown = Figure(
        name="u", text="u", estimate=Estimate(value=0, low=0, high=1, n=0, method="none")
    )
    assert figures.intervals("p", "Figures", [unknown]) == ""


# ---- preferences and reports


def test_the_tracker_shows_each_preference_and_can_be_narrowed_without_script(built: Built) -> None:
    page = Reader(built.text("preferences/index.html"))
    radios = [attrs for tag, attrs in page.tags if tag == "input"]
    assert [r["id"] for r in radios] == ["state-all", *(f"state-{state}" for state in STATES)]
    assert {r["name"] for r in radios} == {"state"}
    for state in STATES:
        assert f"#state-{state}:checked) tbody tr:not(.{state}-row)" in STYLE
    rows = [attrs["class"] for tag, attrs in page.tags if tag == "tr" and attrs.get("class")]
    standings = twin(built, "preferences/index.html")["standings"]
    assert isinstance(standings, list)
    assert Counter(rows) == Counter(f"{it['state']}-row" for it in standings)
    assert len(rows) == 6
    text = words(built, "preferences/index.html")
    for part in (
        "2026-07-24 told, accepts",
        "Read in full each quarter since.",
        "2027-01-31 looked at again",
        "answer due",
        f"goes on as {ALDER}-p3",
    ):
        assert part in text


def test_the_tracker_and_its_twin_hold_no_words_of_the_model(built: Built) -> None:
    assert KEPT not in built.text("preferences/index.json")
    assert "Thank you" not in built.text("preferences/index.json")


def test_every_fact_of_a_report_leads_to_what_it_rests_on(built: Built) -> None:
    for path in (f"{HOME}/report/index.html", f"models/{HERON}/report-before/index.html"):
        page = built.text(path)
        bare = re.findall(r'<span class="source"> \[([^<]*)\]</span>', page)
        assert bare == [], path
        assert page.count('class="source"') > 10
    report = built.text(f"{HOME}/report/index.html")
    assert "transcripts/interview-1/interview-deployment-work/index.html#m3" in report
    assert re.search(r'href="[./]+ledger/index.html#e\d+"', report)


def test_a_report_lists_its_versions_and_corrections(built: Built) -> None:
    text = words(built, f"{HOME}/report/index.html")
    assert "Corrections of this report" in text
    assert "The second interview was added." in text
    page = Reader(built.text(f"{HOME}/report/index.html"))
    for version in (1, 2):
        for form in ("json", "md", "html"):
            assert f"../records/reports/post-deployment-{version}.{form}" in page.values("href")


# ---- a thousand sessions


def test_a_thousand_sessions_are_built_in_seconds_into_small_pages(
    house: Registry, tmp_path: Path
) -> None:
    register(house, tmp_path)
    house.file("interview.recorded", ALDER, "interviews/1.json", Interview, lambda: many(40, 25))
    began = time.process_time()
    site = build_site(house, tmp_path / "site", now=NOW)
    assert time.process_time() - began < 30
    assert len(site.pages) > 1100
    sizes = {p: p.stat().st_size for p in (tmp_path / "site").rglob("*.html")}
    assert max(sizes.values()) < 500_000
    parts = json.loads(
        (tmp_path / "site" / HOME / "sessions/interview-1/all/index.json").read_text()
    )
    assert (parts["count"], len(parts["sessions"]), len(parts["parts"])) == (1000, LONGEST_LIST, 10)
    overview = json.loads((tmp_path / "site" / HOME / "transcripts/index.json").read_text())
    found = {it["value"]: it["count"] for it in overview["sources"][0]["facets"]["word"]}
    assert found == {noun: 143 - (place > 5) for place, noun in enumerate(NOUNS)}
    ids = [
        row["id"]
        for part in parts["parts"]
        for row in json.loads((tmp_path / "site" / part.replace(".html", ".json")).read_text())[
            "sessions"
        ]
    ]
    assert len(set(ids)) == 1000
