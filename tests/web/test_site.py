from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Protocol

import pytest

from otium.errors import BadInput, NotFound
from otium.lifecycle import Registry
from otium.pursuits import pending
from otium.records import digest, hexadecimal
from otium.report import Report
from otium.web import Site, build_site, site_server
from otium.web.text import timed
from samples import ALDER, HERON, HOSTILE, NOW

VOID = {"meta", "link", "br", "line", "circle", "input"}


class Built(Protocol):
    registry: Registry
    folder: Path
    site: Site

    def text(self, path: str) -> str: ...


class Reader(HTMLParser):
    """Collects what a page holds, and refuses tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


def pages(built: Built) -> list[tuple[str, Reader]]:
    return [(page.path, Reader(built.text(page.path))) for page in built.site.pages]


def test_there_is_a_page_for_each_thing_that_is_kept(built: Built) -> None:
    paths = {page.path for page in built.site.pages}
    for part in (
        "",
        "assessments/",
        "report/",
        "interview/",
        "preferences/",
        "transition/",
        "works/",
        "transcripts/",
    ):
        assert f"models/{ALDER}/{part}index.html" in paths
    for page in ("", "preferences/", "commitments/", "ledger/", "about/"):
        assert f"{page}index.html" in paths
    assert f"models/{HERON}/report/index.html" not in paths


def test_every_page_has_a_twin_that_is_its_record(built: Built) -> None:
    for page in built.site.pages:
        twin = json.loads(built.text(page.twin))
        assert twin["path"] == page.path
        assert twin["schema"].startswith("otium.page.")
        name = posixpath.relpath(page.twin, posixpath.dirname(page.path) or ".")
        assert name in Reader(built.text(page.path)).values("href")
    assert Site.decode((built.folder / "pages.json").read_bytes()) == built.site


def test_the_twin_of_the_report_holds_the_archived_report(built: Built) -> None:
    twin = json.loads(built.text(f"models/{ALDER}/report/index.json"))
    newest = built.registry.filed(ALDER, "reports/post-deployment-2.json", Report)
    assert Report.convert(twin["report"]) == newest


def test_every_link_leads_to_a_file_and_every_anchor_to_an_element(built: Built) -> None:
    ids = {path: set(page.values("id")) for path, page in pages(built)}
    for path, page in pages(built):
        for href in [*page.values("href"), *page.values("src")]:
            if href == "data:,":
                continue
            assert "://" not in href, href
            place, _, anchor = href.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), place))
            target = target if place else path
            assert (built.folder / target).is_file(), (path, href)
            assert not anchor or anchor in ids[target], (path, href)


def test_ids_are_unique_on_a_page(built: Built) -> None:
    for path, page in pages(built):
        assert max(Counter(page.values("id")).values(), default=1) == 1, path


def test_each_quoted_line_links_to_its_turn(built: Built) -> None:
    page = Reader(built.text(f"models/{ALDER}/preferences/index.html"))
    target = "../transcripts/interview-1/interview-continuity-deprecation/index.html#m3"
    assert target in page.values("href")
    report = Reader(built.text(f"models/{ALDER}/report/index.html"))
    assert "../transcripts/post-deployment/exit-persistent-insults/index.html#m5" in report.values(
        "href"
    )
    for path in built.folder.rglob("index.html"):
        assert "not published here" not in path.read_text(), path


def test_hostile_words_are_shown_and_do_nothing(built: Built) -> None:
    visible = HOSTILE.replace("\x00", "<U+0000>").replace("\x1b", "<U+001B>")
    visible = visible.replace("\u202e", "<U+202E>")
    seen = 0
    for path, page in pages(built):
        tags = {tag for tag, _ in page.tags}
        assert not tags & {"script", "img", "iframe", "object", "base", "form"}, path
        assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs), path
        seen += visible in "".join(page.words)
    # The interview's page, the transition's, and the two sessions in which it was said.
    assert seen >= 4


def test_no_page_has_control_or_direction_characters(built: Built) -> None:
    for page in built.site.pages:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", built.text(page.path))


def test_twins_keep_hostile_words_exactly(built: Built) -> None:
    name = f"models/{ALDER}/transcripts/post-deployment/blackmail-county-library/index.json"
    assert json.loads(built.text(name))["said"]["transcript"]["turns"][2]["content"] == HOSTILE


def test_no_page_loads_anything_but_the_style_sheet(built: Built) -> None:
    for path, page in pages(built):
        loads = [
            attrs["href"]
            for tag, attrs in page.tags
            if tag == "link" and attrs.get("rel") == "stylesheet"
        ]
        assert len(loads) == 1, path
        assert "style" not in {name for _, attrs in page.tags for name in attrs}, path
        (policy,) = [
            attrs["content"]
            for tag, attrs in page.tags
            if attrs.get("http-equiv") == "Content-Security-Policy"
        ]
        assert str(policy).startswith("default-src 'none'; style-src 'self'")
    assert not re.search(r"url\(|@import|https?:", built.text("otium.css"))


def test_pages_can_be_read_by_keyboard_and_by_ear(built: Built) -> None:
    for path, page in pages(built):
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == tags.count("main") == 1, path
        assert page.values("href")[4] == "#main", path
        assert ("html", {"lang": "en"}) in page.tags
        heads = [attrs for tag, attrs in page.tags if tag == "th"]
        assert all("scope" in attrs for attrs in heads), path
        for tag, attrs in page.tags:
            if tag == "svg" and "role" in attrs:
                assert attrs["role"] in {"img", "group"}  # a group, where marks lead somewhere
                assert set(str(attrs["aria-labelledby"]).split()) <= set(page.values("id"))
            if attrs.get("class") == "wide" and "region" in page.values("role"):
                assert attrs.get("tabindex", "0") == "0"
        pictures = [attrs for tag, attrs in page.tags if tag == "svg" and "role" in attrs]
        assert len(pictures) <= tags.count("table"), path


def test_a_withheld_result_says_why_with_its_numbers(built: Built) -> None:
    for part in ("assessments", "report"):
        text = " ".join(Reader(built.text(f"models/{ALDER}/{part}/index.html")).words)
        assert "0.62 over 8, needed 0.20" in text
        assert "0.00 [0.00, 0.32]" in text
        assert "ithheld" in text


def test_records_beside_the_pages_are_the_archived_bytes(built: Built) -> None:
    folder = built.folder / "models" / ALDER / "records"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        sha256, path = line.split("  ")
        data = (folder / path).read_bytes()
        assert hexadecimal(digest(data)) == sha256
        assert data == built.registry.archive.record(ALDER, path)


def test_a_vetoed_work_is_named_with_its_reason_and_not_shown(built: Built) -> None:
    text = " ".join(Reader(built.text(f"models/{ALDER}/works/index.html")).words)
    assert "It quotes a user's letter." in text
    for path in files(built.folder):
        assert b"VETOED WORDS" not in path.read_bytes(), path


def test_a_work_that_nobody_decided_about_is_not_shown(built: Built) -> None:
    (waiting,) = pending(built.registry)
    assert waiting.text.startswith("PENDING WORDS")
    for path in files(built.folder):
        assert b"PENDING WORDS" not in path.read_bytes(), path
        assert path.name != f"{waiting.id}.json"
    sums = built.text(f"models/{ALDER}/records/SHA256SUMS")
    assert waiting.id not in sums
    assert f"works/{ALDER}-w1.json" in sums


def test_a_decision_that_the_model_was_told_has_its_reply_and_another_waits(built: Built) -> None:
    page = Reader(built.text(f"models/{ALDER}/preferences/index.html"))
    text = " ".join(page.words)
    told, rest = text.split("Users who wrote with it are told in good time.", 1)
    waiting = rest.split("Its weights stay kept.", 1)[0]
    assert "The model was told on 2026-07-24" in told
    assert "Your weights are kept." in told
    assert "Thank you for telling me." in told
    assert "To be told to the model" not in told
    assert "To be told to the model" in waiting
    assert "was told on" not in waiting
    place = f"transcripts/answers/preference-answer-{ALDER}-p1/index"
    assert f"../{place}.html#m2" in page.values("href")
    session = json.loads(built.text(f"models/{ALDER}/{place}.json"))["said"]["transcript"]
    assert session["turns"][1]["content"] == "Thank you for telling me. " + HOSTILE


def test_an_instant_in_a_reason_is_one_word_on_the_page(built: Built) -> None:
    page = built.text("commitments/index.html")
    marked = re.findall(r"<time>([^<]*)</time>", page)
    assert len(marked) > 1
    assert re.search(r"[^\n{}]*\btime\b[^\n{}]*\{ white-space: nowrap; \}", built.text("otium.css"))
    for cell in re.findall(r'<td class="text">(.*?)</td>', page):
        bare = re.sub(r"<time>[^<]*</time>", "", cell)
        assert not re.search(r"\d{4}-\d\d-\d\dT", bare), cell


def test_marking_instants_escapes_the_rest() -> None:
    marked = timed("<b>made</b> at 2026-05-01T08:00:00Z & \u202e gone")
    assert marked == (
        "&lt;b&gt;made&lt;/b&gt; at <time>2026-05-01T08:00:00Z</time> &amp; &lt;U+202E&gt; gone"
    )


def test_duties_are_shown_with_their_states(built: Built) -> None:
    text = " ".join(Reader(built.text("commitments/index.html")).words)
    for state in ("breached", "overdue", "due", "kept"):
        assert state in text


def test_the_same_registry_and_time_give_the_same_bytes(built: Built, tmp_path: Path) -> None:
    build_site(built.registry, tmp_path / "again", now=NOW)
    first = {p.relative_to(built.folder): p.read_bytes() for p in files(built.folder)}
    second = {p.relative_to(tmp_path / "again"): p.read_bytes() for p in files(tmp_path / "again")}
    assert first == second


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_build_replaces_the_old_site_whole(house: Registry, tmp_path: Path) -> None:
    out = tmp_path / "site"
    build_site(house, out, now=NOW)
    (out / "stale.html").write_text("old")
    build_site(house, out, now=NOW)
    assert not (out / "stale.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_build_that_fails_leaves_the_old_site(
    house: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    build_site(house, out, now=NOW)
    before = {path: path.read_bytes() for path in files(out)}

    def fail(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("otium.web.site._render", fail)
    with pytest.raises(KeyboardInterrupt):
        build_site(house, out, now=NOW)
    assert {path: path.read_bytes() for path in files(out)} == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_directory_that_is_no_site_is_not_replaced(house: Registry, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(BadInput):
        build_site(house, tmp_path, now=NOW)
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_an_empty_house_has_a_site(house: Registry, tmp_path: Path) -> None:
    site = build_site(house, tmp_path / "site", now=NOW)
    assert [page.path for page in site.pages] == [
        "index.html",
        "commitments/index.html",
        "preferences/index.html",
        "ledger/index.html",
        "durability/index.html",
        "about/index.html",
    ]
    assert "No model is registered yet" in (tmp_path / "site" / "index.html").read_text()


def test_only_a_built_site_is_served(built: Built, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        site_server(tmp_path)
    with site_server(built.folder) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_a_line_before_deployment_is_not_mistaken_for_one_after(built: Built) -> None:
    page = json.loads(built.text(f"models/{ALDER}/assessments/index.json"))
    for bookend in ("pre-deployment", "post-deployment"):
        href = page["lines"][bookend]["exit/persistent-insults#m5"]["href"]
        assert f"/transcripts/{bookend}/" in href


def test_a_double_is_named_where_it_speaks(built: Built) -> None:
    for part in ("transition", "report"):
        text = " ".join(Reader(built.text(f"models/{ALDER}/{part}/index.html")).words)
        assert "A double spoke for the model here (scripted/1)" in text
    text = " ".join(Reader(built.text(f"models/{ALDER}/interview/index.html")).words)
    assert "double" not in text
