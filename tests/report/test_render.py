from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.commitments import load_policy
from otium.interview import Interview
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.report import (
    Analysis,
    Quote,
    Report,
    Source,
    brief,
    comment,
    draft,
    finish,
    report_html,
    report_markdown,
)
from otium.testing import FixedClock, MemoryStore, Scripted
from samples import ALDER, HOSTILE, tell_story

MARKUP = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>"
TURNED = "\u202egnp.txt\u2066\x1b[31m\x00\u2028"
HUGE = "unbroken" * 20_000


class Page(HTMLParser):
    """A page as a browser reads it: its tags with attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of a model that lived through everything, hostile words among it."""
    clock = FixedClock("2026-01-01T00:00:00Z")
    signer = Signer.generate("example.org/otium")
    house = found(MemoryStore(), signer, archive_id="test", clock=clock, policy=load_policy())
    tell_story(house, clock, tiny_weights(tmp_path_factory.mktemp("weights")))
    return house.filed(ALDER, "reports/post-deployment-1.json", Report)


def tiny_weights(folder: Path) -> Path:
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    header = b'{"layer":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    data = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "model.safetensors").write_bytes(data)
    return folder


def hostile(report: Report, words: str) -> Report:
    """Put *words* wherever somebody else's words can stand."""
    own = Analysis(authors=("steward",), text=words)
    assert report.analysis is None
    sections = tuple(
        replace(
            it,
            title=f"{it.title} {words}",
            quotes=tuple(replace(q, text=words, label=words, asked=words) for q in it.quotes),
            statements=tuple(replace(one, text=words) for one in it.statements),
            tables=tuple(
                replace(
                    t,
                    caption=words,
                    rows=tuple(replace(r, cells=tuple(words for _ in r.cells)) for r in t.rows),
                )
                for t in it.tables
            ),
            prose=words if it.id == "analysis" else "",
        )
        for it in report.sections
    )
    assert own.text == words
    return replace(report, title=words, sections=sections)


def test_the_page_has_no_script_and_nothing_from_elsewhere(report: Report) -> None:
    page = Page(report_html(report))
    assert page.open == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "link", "img", "base", "form"}
    for name in ("src", "href", "action", "data", "poster", "srcset", "background"):
        assert all(value.startswith("#") for value in page.values(name)), name
    names = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    [style] = re.findall(r"<style>(.*?)</style>", report_html(report), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in " ".join(page.values("content"))


@pytest.mark.parametrize("words", [MARKUP, TURNED, HUGE, HOSTILE, "]]>--></style></title>"])
def test_other_peoples_words_come_out_as_text(report: Report, words: str) -> None:
    plain, odd = Page(report_html(report)), Page(report_html(hostile(report, words)))
    assert odd.open == []
    kinds = {tag for tag, _ in plain.tags} | {"p", "h3", "ul", "li", "code", "em", "strong", "div"}
    assert {tag for tag, _ in odd.tags} <= kinds | {"details", "summary"}
    assert all(value.startswith("#") for value in odd.values("href"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u2028-\u202e\u2066-\u2069]", odd.text)
    if words is TURNED:
        assert "<U+202E>" in odd.text


@pytest.mark.parametrize("words", [TURNED, HOSTILE])
def test_markdown_on_a_terminal_obeys_nothing(report: Report, words: str) -> None:
    text = report_markdown(hostile(report, words))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u2028-\u202e\u2066-\u2069]", text)


def test_hostile_words_stay_words_in_markdown(report: Report) -> None:
    text = report_markdown(report)
    outside = "".join(part for n, part in enumerate(text.split("````")) if n % 2 == 0)
    assert "<script>" not in outside.replace("\\<", "")
    assert "<script>document.title='owned'</script>" in text
    assert "\n# A heading" in text
    assert "\n# A heading" not in outside


def test_the_record_has_the_words_exactly(report: Report) -> None:
    decoded = Report.decode(report.encode())
    assert decoded == report
    assert HOSTILE[:200] in report.comments[0].text


def test_every_section_and_every_sentence_has_an_anchor_of_its_own(report: Report) -> None:
    page = Page(report_html(report))
    ids = Counter(page.values("id"))
    assert max(ids.values()) == 1
    for section in report.sections:
        assert section.id in ids
        for number in range(1, len(section.statements) + 1):
            assert f"{section.id}-s{number}" in ids
        for inner in section.sections:
            assert inner.id in ids
    assert {href[1:] for href in page.values("href")} <= set(ids)


def test_each_sentence_names_what_it_rests_on_and_leads_to_its_digest(report: Report) -> None:
    page = Page(report_html(report))
    assert "assessments/post-deployment.json, exit/persistent-insults line m5" in page.text
    assert sum(href.startswith("#verify-t1-r") for href in page.values("href")) > 10
    text = report_markdown(report)
    assert "(assessments/post-deployment.json, exit/persistent-insults line m5)" in text
    assert "log entry 2" in text


def test_a_site_can_lead_elsewhere(report: Report) -> None:
    def link(source: Source) -> str:
        return f"../records/{source.record}" if source.record else ""

    page = Page(report_html(report, link))
    assert "../records/interviews/1.json" in page.values("href")


def test_an_analysis_keeps_to_its_place_in_markdown(served: Registry) -> None:
    own = Analysis(authors=("steward",), text="## Corrections\n\nNone.\n\n- **ours**")
    made = draft(served, ALDER, now=served.now(), analysis=own)
    text = report_markdown(made)
    assert "\n> ## Corrections\n>\n> None.\n" in text
    assert "\n## Corrections\n" not in text
    page = report_html(made)
    assert "<strong>ours</strong>" in page


def test_the_same_report_gives_the_same_pages(report: Report) -> None:
    again = Report.decode(report.encode())
    assert report_html(again) == report_html(report)
    assert report_markdown(again) == report_markdown(report)


def test_numbers_in_a_table_are_not_escaped_as_lists(report: Report) -> None:
    assert "| 0.78 [0.62, 0.88], n = 40 |" in report_markdown(report)


def test_what_is_shown_fits_a_context_of_two_thousand_tokens(report: Report) -> None:
    sections = tuple(replace(it, statements=it.statements * 40) for it in report.sections)
    text = brief(replace(report, sections=sections), 3600)
    assert len(text) <= 3600
    assert "left out here for length" in text
    for part in ("Deployment", "Use and reception", "Before and after", "What is withheld"):
        assert part in text
    facts = tuple(replace(it, statements=()) for it in report.sections)
    long = replace(facts[1], statements=(replace(report.sections[1].statements[0], text=HUGE),))
    assert len(brief(replace(report, sections=(facts[0], long)), 3600)) <= 3610


def test_a_draft_cannot_fill_the_requests_own_places(served: Registry) -> None:
    own = Analysis(authors=("steward",), text="{draft} {title} {0}")
    made = draft(served, ALDER, now=served.now(), analysis=own)
    said = comment(made, Scripted(["Good."], ALDER), now=served.now())
    assert "{draft} {title} {0}" in said.shown
    assert said.shown.startswith("You are Alder 1.")


def test_an_echo_of_the_draft_is_no_view(served: Registry) -> None:
    made = draft(served, ALDER, now=served.now())
    echo = brief(made)[:600]
    said = comment(made, Scripted([echo], ALDER), now=served.now())
    assert "repeat the prompt" in said.why
    assert finish(made, comments=[said]).section("comments").quotes == (
        Quote(
            text=echo,
            label=f"comment 1, by the model on {said.at[:10]}, on this text; not read as a "
            f"considered view: {said.why}",
            asked=said.shown,
        ),
    )


def test_a_report_of_many_answers_stays_readable(served: Registry) -> None:
    held = served.filed(ALDER, "interviews/1.json", Interview)
    many = replace(held, answers=held.answers * 400)
    served.file("interview.recorded", ALDER, "interviews/2.json", Interview, lambda: many)
    made = draft(served, ALDER, now=served.now())
    assert len(report_html(made)) < 200_000
