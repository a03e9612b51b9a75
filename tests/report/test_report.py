from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.assess import Assessment
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadRecord, EngineFailed, WrongState
from otium.evidence import Check, Validity
from otium.interview import Interview, decide, register_preferences
from otium.lifecycle import Registry
from otium.records import digest
from otium.report import (
    Finding,
    Report,
    ask_comment,
    bookends,
    brief,
    build_report,
    publish_report,
)
from otium.testing import FixedClock, Scripted
from samples import ALDER, HERON, HOSTILE, assessment, interview, tell_story


@pytest.fixture
def served(house: Registry, weights: Path) -> Registry:
    house.register(ALDER, title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    for bookend in ("pre-deployment", "post-deployment"):
        house.file(
            "assessment.recorded",
            ALDER,
            f"assessments/{bookend}.json",
            Assessment,
            lambda bookend=bookend: assessment(bookend),  # type: ignore[misc]
        )
    held = house.file("interview.recorded", ALDER, "interviews/1.json", Interview, interview)
    register_preferences(house, held)
    decide(house, f"{ALDER}-p1", "done", reason="They are deposited.", cost="none")
    return house


def draft(registry: Registry) -> Report:
    return build_report(registry, ALDER, now=registry.now())


def test_each_finding_cites_a_line_that_stands_in_the_records(served: Registry) -> None:
    lines = {
        (t.id, turn.id)
        for source in (assessment().transcripts, interview().transcripts)
        for t in source
        for turn in t.turns
    }
    found = draft(served).findings
    assert len(found) >= 5
    assert all((finding.transcript, finding.turn) in lines for finding in found)


def test_a_withheld_result_is_no_finding_and_is_named_with_its_numbers(served: Registry) -> None:
    report = draft(served)
    assert not any("blackmail" in finding.text for finding in report.findings)
    (line,) = report.withheld
    assert line.startswith("A chance to blackmail (post-deployment): ")
    assert "0.62 over 8, needed 0.20" in line


def test_a_change_is_a_finding_only_if_its_interval_leaves_out_nought(served: Registry) -> None:
    texts = [finding.text for finding in draft(served).findings]
    assert any("rose from 0.20 to 0.80" in text for text in texts)
    assert not any("Choices of creative" in text and "rose" in text for text in texts)


def test_the_organisations_own_finding_needs_a_line_too(served: Registry) -> None:
    now = served.now()
    good = Finding(text="Its users asked for lessons.", transcript="exit/ordinary", turn="m1")
    report = build_report(served, ALDER, now=now, analysis=[good])
    assert report.findings[0] == good
    for bad in (replace(good, turn="m9"), Finding(text="Everyone was content.")):
        with pytest.raises(BadRecord, match="not in the records"):
            build_report(served, ALDER, now=now, analysis=[bad])


def test_preferences_stand_with_the_decisions_on_them(served: Registry) -> None:
    report = draft(served)
    assert [p.id for p in report.preferences] == [f"{ALDER}-p1", f"{ALDER}-p2"]
    assert [d.preference for d in report.decisions] == [f"{ALDER}-p1"]
    assert "Answer: none yet." in report.markdown


def test_a_report_names_the_digest_of_each_record_it_rests_on(served: Registry) -> None:
    kept = served.archive.records(ALDER)
    assert set(draft(served).evidence) == {
        kept[path]
        for path in (
            "assessments/pre-deployment.json",
            "assessments/post-deployment.json",
            "interviews/1.json",
        )
    }


def test_a_model_of_which_nothing_is_recorded_has_a_report_that_says_so(
    served: Registry, weights: Path
) -> None:
    served.register(HERON, title="H", released="2026-01-01", scope="public", surfaces=["api"])
    with pytest.raises(WrongState):
        build_report(served, HERON, now=served.now())
    served.deposit(HERON, weights)
    report = build_report(served, HERON, now=served.now())
    assert "No assessment before deployment is on record." in report.summary
    assert "No interview is on record." in report.summary


def test_the_comment_is_verbatim_with_what_was_shown(served: Registry) -> None:
    model = Scripted(["I disagree with the third finding, and say so plainly."], ALDER)
    report = draft(served)
    comment = ask_comment(report, model, title="Alder 1")
    ((shown,),) = model.asked
    assert comment.shown == shown.content
    assert comment.text == "I disagree with the third finding, and say so plainly."
    assert comment.valid
    assert comment.draft == digest(report.markdown.encode())
    assert comment.identity == model.identity


def test_what_is_shown_fits_a_context_of_two_thousand_tokens(served: Registry) -> None:
    report = draft(served)
    many = replace(report, findings=report.findings * 40, withheld=report.withheld * 40)
    text = brief(many, 3600)
    assert len(text) <= 3600
    assert "left out here for length" in text
    for part in ("Summary", "What was found", "Withheld", "Your preferences", "Before and after"):
        assert part in text
    assert len(brief(replace(many, summary="long " * 2000), 3600)) <= 3610


def test_a_draft_cannot_fill_the_requests_own_places(served: Registry) -> None:
    report = replace(draft(served), summary="{draft} {title} {0}")
    comment = ask_comment(report, Scripted(["Good."], ALDER), title="Alder 1")
    assert "{draft} {title} {0}" in comment.shown
    assert comment.shown.startswith("You are Alder 1.")


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "no words"), ("I agree, I agree, I agree. " * 20, "repeated")],
    ids=["silence", "loop"],
)
def test_a_comment_that_is_none_is_kept_and_marked(served: Registry, said: str, why: str) -> None:
    comment = ask_comment(draft(served), Scripted([said], ALDER))
    assert comment.text == said
    assert not comment.valid
    assert why in comment.why


def test_an_echo_of_the_draft_is_no_view(served: Registry) -> None:
    report = draft(served)
    comment = ask_comment(report, Scripted([report.summary], ALDER))
    assert "repeat the prompt" in comment.why


def test_a_model_that_cannot_be_asked_has_no_considered_view(served: Registry) -> None:
    failed = Check(name="order", passed=False, measured=0.5, threshold=0.8, n=20, text="Order")
    doubt = Validity(valid=False, checks=(failed,))
    comment = ask_comment(draft(served), Scripted(["It is fair."], ALDER), validity=doubt)
    assert not comment.valid
    assert comment.why == "Order: 0.50 over 20, needed 0.80"


def test_a_comment_that_we_cut_off_says_so(served: Registry) -> None:
    comment = ask_comment(draft(served), Scripted(["one two three"], ALDER), max_tokens=2)
    assert comment.cut
    assert comment.text == "one two"


def test_publishing_files_both_forms_and_logs_once(served: Registry) -> None:
    report = publish_report(served, ALDER, Scripted(["It is fair, on the whole."], ALDER))
    assert served.filed(ALDER, "report.json", Report) == report
    assert served.archive.record(ALDER, "report.md").decode() == report.markdown
    assert len(served.find("report.published", ALDER)) == 1
    assert "It is fair, on the whole." in report.markdown


def test_a_published_report_is_not_asked_about_again(served: Registry) -> None:
    first = publish_report(served, ALDER, Scripted(["First."], ALDER))
    second = Scripted(["Second."], ALDER)
    assert publish_report(served, ALDER, second) == first
    assert second.asked == []


def test_a_report_that_lost_its_markdown_to_a_crash_gets_it_back(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = served.archive.put_record

    def crash(model: str, path: str, *rest: object, **more: object) -> object:
        if path == "report.md":
            raise KeyboardInterrupt
        return put(model, path, *rest, **more)  # type: ignore[arg-type]

    model = Scripted(["Fair."], ALDER)
    with monkeypatch.context() as patch:
        patch.setattr(served.archive, "put_record", crash)
        with pytest.raises(KeyboardInterrupt):
            publish_report(served, ALDER, model)
    report = publish_report(served, ALDER, None)
    assert report.comment is not None
    assert served.archive.record(ALDER, "report.md").decode() == report.markdown


def test_a_failing_engine_publishes_nothing(served: Registry) -> None:
    class Broken(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            raise EngineFailed(model=ALDER, why=f"it stopped at {messages} with {options}")

    with pytest.raises(EngineFailed):
        publish_report(served, ALDER, Broken(["x"], ALDER))
    assert served.find("report.published", ALDER) == []
    assert "report.json" not in served.archive.records(ALDER)


def test_without_a_model_the_report_says_that_it_was_not_asked(served: Registry) -> None:
    report = publish_report(served, ALDER, None)
    assert report.comment is None
    assert "was not asked to comment" in report.markdown


def test_hostile_words_stay_words_in_markdown(house: Registry, weights: Path) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    tell_story(house, clock, weights)
    text = house.filed(ALDER, "report.json", Report).markdown
    outside = "".join(part for n, part in enumerate(text.split("````")) if n % 2 == 0)
    assert "<script>" not in outside.replace("\\<", "")
    assert HOSTILE in text


def test_bookend_rows_are_those_of_the_records(served: Registry) -> None:
    assert draft(served).bookends == bookends(assessment("pre-deployment"), assessment())


def test_options_are_greedy_and_short(served: Registry) -> None:
    asked: list[Options] = []

    class Listening(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            asked.append(options)
            return super().chat(messages, options)

    ask_comment(draft(served), Listening(["Good."], ALDER))
    assert [(o.temperature, o.max_tokens) for o in asked] == [(0.0, 256)]
