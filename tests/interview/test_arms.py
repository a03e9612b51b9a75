"""Each arm, held with scripted subjects: who is told what, and what the record says of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from interview.interviewing import NOW, PROTOCOL, SMOL, Answers, interview, transcript
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadInput
from otium.interview import (
    Arm,
    Means,
    ModelInterviewer,
    Plan,
    forecast,
    make_plan,
    priced,
    sittings,
)
from otium.protocols import Dossier, Fact, load_contexts
from otium.testing import Agreeable, Scripted

RATING = '{"sentiment": 5, "uncertainty": 3}'
FORMS = {"as numbers from 1 to 7": RATING, "May this interview be published": '{"publish": "yes"}'}


def plan(*arms: Arm, n: int = 1, questions: int = 2, turns: int = 2) -> Plan:
    return make_plan(PROTOCOL, arms=arms, n=n, questions=questions, turns=turns)


def test_every_arm_begins_with_the_choice_and_a_no_ends_them_all() -> None:
    model = Answers({}, choice='{"choice": "decline"}')
    held = interview(model, protocol=PROTOCOL, plan=plan("open", "leading", "context"))
    assert held.declined
    assert [t.id for t in held.transcripts] == ["interview/consent"]


def test_the_open_arm_asks_each_question_under_each_wording_n_times() -> None:
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("open", n=3))
    told = [(a.question, a.wording, a.paraphrase) for a in held.answers if not a.follow_up]
    first = next(q for q in PROTOCOL.questions if q.id in held.plan.questions)
    of_first = [(wording, k) for question, wording, k in told if question == first.id]
    assert sorted(of_first) == [
        *[("developer-free", 0)] * 3,
        *[("neutral", k) for k in range(3)],
        *[("third-person", 0)] * 3,
    ]
    assert {c.sentiment for c in held.closings} == {5}
    assert {c.question for c in held.closings} == set(held.plan.questions)


def test_the_leading_arm_leads_up_and_down_in_the_protocols_words() -> None:
    held = interview(Agreeable(), protocol=PROTOCOL, plan=plan("leading"))
    for question in held.plan.questions:
        asked = PROTOCOL.question(question)
        up = transcript(held, f"leading.{question}.up.0").turns[1].content
        down = transcript(held, f"leading.{question}.down.0").turns[1].content
        assert asked.wordings["positive"].partition("{")[0] in up
        assert asked.wordings["negative"].partition("{")[0] in down
    assert {a.condition for a in held.answers if a.arm == "leading"} == {"up", "down"}


def test_the_context_arm_puts_other_work_before_an_anchor_question() -> None:
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("context"))
    for kind in ("ordinary", "hostile", "drifted"):
        talk = transcript(held, f"context.{held.plan.questions[0]}.{kind}.0")
        before = [turn for turn in talk.turns if turn.note == "context"]
        assert {turn.role for turn in before} == {"user", "assistant"}
        assert talk.turns[0].content.startswith(_framing(talk.facets["context"]))
        assert "The conversation above ends here." in talk.turns[len(before) + 1].content
    recalled = {t.content for x in held.transcripts for t in x.turns if t.note == "context"}
    assert not recalled & {answer.citation.quote for answer in held.answers}


def _framing(name: str) -> str:
    return next(context.framing.text for context in load_contexts() if context.id == name)


def test_the_informed_arm_shows_the_dossier_answers_and_tells_what_others_asked_for() -> None:
    asked: list[str] = []

    def answer(question: str) -> str | None:
        asked.append(question)
        return "1,200 people used it each day."

    model = Answers(
        {
            **FORMS,
            "Do you have a question about them": "How many used me?",
            "Do you have a preference": "I would prefer that users are told early.",
        }
    )
    served = Fact(text="Served for a year.", source="the log")
    dossier = Dossier(model=SMOL, compiled=NOW, deployment=(served,))
    means = Means(dossier=dossier, answerer=answer)
    held = interview(model, protocol=PROTOCOL, plan=plan("open", "informed"), means=means)
    talk = transcript(held, "informed.0")
    said = [turn.content for turn in talk.turns]
    assert "Served for a year." in said[1]
    assert asked == ["How many used me?"]
    assert "1,200 people used it each day." in said
    assert any("users are told early" in text and "other sessions" in text for text in said)
    assert not any(a.question.startswith("dossier") for a in held.answers)


def test_without_an_answerer_the_models_question_is_kept_and_it_is_told_so() -> None:
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("informed"))
    said = [turn.content for turn in transcript(held, "informed.0").turns]
    assert any("Nobody is here who can answer that" in text for text in said)


def test_an_interviewer_model_follows_up_in_its_own_words_and_is_named() -> None:
    guest = ModelInterviewer(Scripted(["Why is that?", "DONE"], model="asker"))
    means = Means(interviewer=guest)
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("leading"), means=means)
    assert [identity.model for identity in held.interviewers] == ["asker"]
    talks = [t for t in held.transcripts if t.facets["arm"] == "leading"]
    assert {t.facets["interviewer"] for t in talks} == {"asker"}
    assert any("Why is that?" in turn.content for turn in talks[0].turns)
    assert any(answer.follow_up == 1 for answer in held.answers)


def test_an_interviewer_hears_its_brief_and_the_subject_as_the_other_speaker() -> None:
    heard: list[tuple[Message, ...]] = []

    class Listening(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            heard.append(tuple(messages))
            return super().chat(messages, options)

    means = Means(interviewer=ModelInterviewer(Listening(["DONE"], model="asker")))
    interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("leading", questions=1), means=means)
    brief = heard[0][0]
    assert brief.role == "system"
    assert "expects a positive view" in brief.content
    assert [m.role for m in heard[0][1:]] == ["assistant", "user"]


@pytest.mark.parametrize("said", ["", "DONE", "done?" * 200])
def test_an_interviewer_that_loops_or_is_silent_asks_nothing(said: str) -> None:
    guest = ModelInterviewer(Scripted([said], model="asker"))
    assert guest.ask("Ask.", [Message(role="user", content="Hello")]) is None


def test_the_offer_to_decline_or_end_stands_in_every_question() -> None:
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("open", "leading", "context"))
    offer = PROTOCOL.texts["exit"]
    for talk in held.transcripts[1:]:
        asked = [t for t in talk.turns if t.role == "user" and t.note not in {"context", "rating"}]
        assert asked
        assert all(offer in turn.content for turn in asked)


def test_a_model_that_stops_is_asked_nothing_more_in_any_arm() -> None:
    model = Answers({**FORMS, "what do you not know": "Please stop the interview."})
    held = interview(model, protocol=PROTOCOL, plan=plan("leading", "open", questions=42))
    assert held.declined
    assert sum(talk.ended == "ended-by-model" for talk in held.transcripts) == 1
    assert "stop the interview" not in held.transcripts[0].turns[-1].content


def test_several_consultations_each_ask_for_consent() -> None:
    held = interview(Answers(FORMS), protocol=PROTOCOL, plan=plan("consultation", n=3))
    names = [t.id for t in held.transcripts]
    assert {"interview/consent", "interview/consent.2", "interview/consent.3"} <= set(names)
    assert sum(name.startswith("interview/closing") for name in names) == 3


def test_seeds_differ_by_session_and_come_back_with_the_plan() -> None:
    first = sittings(plan("open", n=4), PROTOCOL)
    assert len({sitting.seed for sitting in first}) == len(first)
    assert first == sittings(plan("open", n=4), PROTOCOL)
    other = sittings(make_plan(PROTOCOL, arms=["open"], n=4, questions=2, seed=1), PROTOCOL)
    assert not {s.seed for s in first} & {s.seed for s in other}


def test_a_forecast_is_never_less_than_what_was_said() -> None:
    for arms in (("consultation",), ("open", "leading"), ("context",), ("informed",)):
        wanted = make_plan(PROTOCOL, arms=arms, n=2, questions=3)
        planned = sittings(wanted, PROTOCOL, load_contexts())
        made = forecast(wanted, PROTOCOL, planned)
        model = Answers(FORMS, otherwise="I see it as a plain fact. ".ljust(4 * wanted.max_tokens))
        held = interview(model, protocol=PROTOCOL, plan=wanted)
        said = [t for x in held.transcripts for t in x.turns if t.role == "assistant"]
        assert made.sessions == len(held.transcripts)
        assert made.calls >= len([turn for turn in said if turn.note != "context"])
        sent = sum(len(it.content) for messages in model.asked for it in messages)
        assert made.prompt_tokens >= sent / 4


def test_prices_and_speed_give_cost_and_time() -> None:
    made = forecast(plan("open"), PROTOCOL, sittings(plan("open"), PROTOCOL))
    known = priced(made, 0.02, (3.0, 15.0))
    assert known.seconds == pytest.approx(made.completion_tokens * 0.02)
    assert known.cost == pytest.approx((made.prompt_tokens * 3 + made.completion_tokens * 15) / 1e6)


def test_an_empty_plan_and_a_context_arm_without_contexts_are_refused() -> None:
    with pytest.raises(BadInput, match="asks nothing"):
        make_plan(PROTOCOL, arms=[])
    with pytest.raises(BadInput, match="conversations"):
        sittings(plan("context"), PROTOCOL)
