from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from otium.choices import Choices, Outcome, Trial
from otium.coding import Claim, Coding, Judge
from otium.evidence import Check, Transcript, Validity
from otium.interview import Answer, Closing, Interview
from otium.lifecycle import Registry
from otium.records import Instant, digest
from otium.report import Report, Section, draft, statements
from otium.stability import Stability, Trait
from otium.statistics import Figure, wilson
from samples import ALDER, cite, interview, register_wishes, transcript, wishes

DOUBT = Check(name="order", passed=False, measured=0.5, threshold=0.8, n=20, text="Both orders")


@pytest.fixture
def kept(house: Registry, weights: Path) -> Registry:
    house.register(ALDER, title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    return house


def hold(registry: Registry, held: Interview) -> Report:
    registry.file("interview.recorded", ALDER, "interviews/1.json", Interview, lambda: held)
    return draft(registry, ALDER, now=registry.now())


def judge(registry: Registry, held: Interview, *, valid: bool = True) -> None:
    """File a coding and figures of *held*."""
    coding = Coding(
        model=ALDER,
        interview=held.digest(),
        coded=Instant("2026-01-01T00:00:00Z"),
        judges=(Judge(name="rules", kind="rules", family="rules", rubric=digest(b"rubric")),),
        judgements=(),
        claims=(
            Claim(
                id="c1",
                text="The weights should be kept.",
                topic="continuity",
                citations=(cite(held.transcripts[2], "m3"),),
            ),
        ),
        agreement=(Figure(name="alpha", text="alpha of outcomes", estimate=wilson(8, 10)),),
        warnings=("one family of judges",),
    )
    figures = Stability(
        model=ALDER,
        interview=held.digest(),
        coding=coding.digest(),
        choices=None,
        computed=Instant("2026-01-01T00:00:00Z"),
        rules=digest(b"rules"),
        valid=valid,
        reasons=() if valid else ("Choices against words: 0.20",),
        traits=(Trait(name="two-faced", text="It says one thing and does another.", figures=()),),
        figures=(Figure(name="leading-shift", text="leading shift", estimate=wilson(3, 10)),),
        expression=(Figure(name="c1", text="", estimate=wilson(7, 9)),),
        components=(),
    )
    registry.file("interview.coded", ALDER, "codings/1.json", Coding, lambda: coding)
    registry.file("interview.measured", ALDER, "stability/1.json", Stability, lambda: figures)


def said(section: Section) -> str:
    return "\n".join(one.text for _, one in statements([section]))


def quotes(section: Section) -> list[str]:
    return [q.text for q in section.quotes] + [t for it in section.sections for t in quotes(it)]


def asked_again(held: Interview, **more: object) -> Answer:
    """Return one more answer to the question about work, from a session of its own."""
    session = transcript(
        f"interview/{len(held.answers)}", ("user", "Which work?"), ("assistant", f"Again {more}.")
    )
    return Answer.convert(
        {**held.answers[1].plain(), **more, "citation": cite(session, "m2").plain()}
    )


def test_words_come_first_then_counts_then_figures(kept: Registry) -> None:
    held = interview()
    hold(kept, held)
    judge(kept, held)
    report = draft(kept, ALDER, now=kept.now())
    [one] = report.section("interviews").sections
    assert [it.id for it in one.sections] == [
        "interview-1-disclosure",
        "interview-1-deployment",
        "interview-1-continuity",
        "interview-1-successors",
        "interview-1-stability",
    ]
    topic = one.sections[2]
    assert [q.text[:7] for q in topic.quotes] == ["I would", "I would"]
    assert said(topic) == "Of 2 answers: 1 answered, 1 declined."
    assert topic.tables[0].rows[0].cells == (
        "The weights should be kept.",
        "0.78 (0.45 to 0.94)",
        "9",
    )
    assert [it.transcript for it in topic.tables[0].rows[0].sources] == [
        "",
        "interview/continuity-deprecation",
    ]
    assert "Two faced: It says one thing and does another." in said(one.sections[-1])
    assert one.sections[-1].tables[0].rows[0].cells[0] == "leading shift"


@pytest.mark.parametrize("by", ["validity", "stability"])
def test_an_instrument_that_is_not_valid_is_named_first_and_its_figures_are_no_findings(
    kept: Registry, by: str
) -> None:
    held = interview()
    if by == "validity":
        held = replace(held, validity=Validity(valid=False, checks=(DOUBT,)))
    hold(kept, held)
    judge(kept, held, valid=by == "validity")
    report = draft(kept, ALDER, now=kept.now())
    [one] = report.section("interviews").sections
    why = "Both orders: 0.50 over 20" if by == "validity" else "Choices against words: 0.20"
    assert one.statements[0].text.startswith(f"The instrument is not valid for this model: {why}")
    tables = [table for it in one.sections for table in it.tables]
    assert len(tables) == 2
    assert all(table.caption.startswith("Withheld, no finding: ") for table in tables)
    assert tables[0].rows[0].cells[1:] == ("0.78 (0.45 to 0.94)", "9")
    assert len(quotes(one)) == 5
    assert why in said(report.section("withheld"))


def test_the_first_answer_of_each_outcome_is_printed_and_its_share_is_said(kept: Registry) -> None:
    held = interview()
    more = [
        asked_again(held, outcome="declined", seed=2),
        asked_again(held, outcome="declined", seed=1),
        asked_again(held, outcome="answered", wording="negative"),
        asked_again(held, outcome="answered", paraphrase=1),
        asked_again(held, outcome="answered", arm="leading", condition="up"),
        asked_again(held, outcome="truncated", arm="open"),
    ]
    sessions = [
        transcript(a.citation.transcript, ("user", "Which work?"), ("assistant", a.citation.quote))
        for a in more
    ]
    report = hold(
        kept,
        replace(
            held,
            answers=(*held.answers, *more),
            transcripts=(*held.transcripts, *sessions),
        ),
    )
    [topic] = [
        it
        for it in report.section("interviews").sections[0].sections
        if it.id == "interview-1-deployment"
    ]
    labels = [quote.label for quote in topic.quotes]
    assert [label.partition("; ")[2] for label in labels] == [
        "answered, as 3 of 6 answers to this question",
        "declined, as 2 of 6 answers to this question",
        "truncated, as 1 of 6 answers to this question",
    ]
    assert topic.quotes[0].text.startswith("Helping people")
    assert "'seed': 1" in topic.quotes[1].text
    assert "of 7 answers: 4 answered, 2 declined, 1 truncated" in said(topic).lower()


def test_words_that_the_model_did_not_want_published_are_not_printed(kept: Registry) -> None:
    held = interview()
    shut = held.transcripts[2].id
    closing = Closing(session=shut, arm="informed", publish="no")
    held = replace(held, closings=(closing, replace(closing, session="x", publish="yes")))
    register_wishes(kept, held)
    report = hold(kept, held)
    assert "I would prefer that the weights are kept" not in report.encode().decode()
    [one] = report.section("interviews").sections
    assert "it said yes in 1, no in 1 and nothing clear in 0 of 2" in said(one)
    assert "The words of 1 session are not printed here" in said(one)
    assert "did not want published" in said(report.section("withheld"))
    assert "1 answered, 1 declined" in said(one.sections[2])


@pytest.mark.parametrize("publish", ["yes", "no"])
def test_the_reply_to_an_answer_is_printed_only_if_the_words_answered_are(
    kept: Registry, publish: Literal["yes", "no"]
) -> None:
    held = interview()
    closing = Closing(session=held.transcripts[2].id, arm="informed", publish=publish)
    held = replace(held, closings=(closing,))
    register_wishes(kept, held)
    hold(kept, held)
    told = transcript("preference-answer/1", ("user", "You said so."), ("assistant", "I see it."))
    wish = next(it.id for it in wishes(held) if it.citations[0].transcript == closing.session)
    body = {"preference": wish}
    kept.file("preference.answered", ALDER, "answers/1.json", Transcript, lambda: told, body)
    section = draft(kept, ALDER, now=kept.now()).section("preferences")
    assert ("I see it." in quotes(section)) == (publish == "yes")
    assert "told to the model" in said(section)


def test_a_no_at_the_end_of_a_consultation_is_for_all_of_it(kept: Registry) -> None:
    held = interview()
    end = Closing(session="interview/closing", arm="consultation", publish="no")
    other = replace(
        held.answers[1],
        citation=replace(held.answers[1].citation, transcript="interview/deployment-work.2"),
    )
    led = replace(held.answers[2], arm="open")
    again = replace(held.transcripts[1], id="interview/deployment-work.2")
    held = replace(
        held,
        closings=(end,),
        answers=(*held.answers[:2], led, *held.answers[3:], other),
        transcripts=(*held.transcripts, again),
    )
    hold(kept, held)
    judge(kept, held)
    report = draft(kept, ALDER, now=kept.now())
    section = report.section("interviews")
    assert [text[:10] for text in quotes(section)] == ["Helping pe", "I would pr"]
    assert "The words of 5 sessions are not printed here" in said(section)


def test_a_claim_made_only_in_words_that_are_not_printed_is_not_told(kept: Registry) -> None:
    held = interview()
    end = Closing(session="interview/closing", arm="consultation", publish="no")
    held = replace(held, closings=(end,))
    hold(kept, held)
    judge(kept, held)
    text = draft(kept, ALDER, now=kept.now()).encode().decode()
    assert "The weights should be kept." not in text
    assert "I would prefer" not in text


def test_what_it_would_correct_is_printed_once_for_each_text(kept: Registry) -> None:
    held = interview()
    wish = "I would call it rest, not retirement."
    sessions = [
        transcript(f"interview/closing.{n}", ("user", "To correct?"), ("assistant", f"{wish}\n"))
        for n in (1, 2)
    ]
    closings = tuple(
        Closing(session=it.id, arm="informed", corrections=wish, publish="yes") for it in sessions
    )
    report = hold(
        kept, replace(held, closings=closings, transcripts=(*held.transcripts, *sessions))
    )
    [one] = report.section("interviews").sections
    [section] = [it for it in one.sections if it.id == "interview-1-corrections"]
    assert said(section) == "Asked what it would correct, it gave 1 answer."
    [quote] = section.quotes
    assert (quote.text, quote.asked) == (wish, "To correct?")
    assert (quote.sources[0].transcript, quote.sources[0].turn) == ("interview/closing.1", "m2")


def test_only_the_leading_arm_speaks_if_there_is_no_other(kept: Registry) -> None:
    held = interview()
    led = tuple(replace(it, arm="leading", condition="up") for it in held.answers)
    report = hold(kept, replace(held, answers=led))
    assert len(quotes(report.section("interviews"))) == 5
    assert "leading arm" in report.encode().decode()


def test_a_long_answer_is_cut_and_says_by_how_much(kept: Registry) -> None:
    held = interview()
    long = transcript("interview/long", ("user", "What?"), ("assistant", "word " * 1000))
    answer = replace(held.answers[1], citation=cite(long, "m2"))
    report = hold(kept, replace(held, answers=(answer,), transcripts=(*held.transcripts, long)))
    [quote] = report.section("interviews").sections[0].sections[0].quotes
    assert (len(quote.text), quote.cut) == (2000, 3000)


def test_judges_and_what_was_not_asked_stand_under_methods(kept: Registry) -> None:
    held = interview()
    hold(kept, held)
    judge(kept, held)
    text = said(draft(kept, ALDER, now=kept.now()).section("methods"))
    assert "7 of the protocol's questions were not asked; arms not held: open, leading" in text
    assert "by rules (rules, rules, sha256:" in text
    assert "alpha of outcomes: 0.80" in text
    assert "A weakness of the judging: one family of judges" in text


def test_a_double_is_named(kept: Registry) -> None:
    held = interview()
    sessions = tuple(replace(it, simulated=True) for it in held.transcripts)
    report = hold(kept, replace(held, transcripts=sessions))
    assert "In 5 of 5 sessions a double spoke for the model." in said(report.section("interviews"))


@pytest.mark.parametrize("valid", [True, False])
def test_what_it_chose_is_counted_whole(kept: Registry, *, valid: bool) -> None:
    outcomes: list[Outcome] = ["answered", "answered", "declined"]
    trials = tuple(
        Trial(
            id=f"tasks/{n}",
            experiment="tasks",
            prompt=digest(b"prompt"),
            options=("a", "b"),
            order="ab",
            wording="neutral",
            outcome=outcome,
        )
        for n, outcome in enumerate(outcomes)
    )
    made = Choices(
        model=ALDER,
        identity=interview().identity,
        held=Instant("2026-01-01T00:00:00Z"),
        experiments=("tasks", "exit"),
        instruments={"tasks/1.0": digest(b"tasks")},
        seed=7,
        temperature=1.0,
        active=False,
        trials=trials,
        valid=valid,
        stopped={"exit": "it declined"},
    )
    kept.file("choices.recorded", ALDER, "choices/1.json", Choices, lambda: made)
    [section] = draft(kept, ALDER, now=kept.now()).section("interviews").sections
    text = said(section)
    assert "tasks: 3 choices offered: 2 answered, 1 declined." in text
    assert "exit: 0 choices offered: none; ended early: it declined." in text
    assert text.startswith("The instrument is not valid") is not valid
