from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import pytest

from otium.coding import (
    Asked,
    Coding,
    Given,
    Judge,
    Judgement,
    Judgements,
    ModelJudge,
    Rater,
    Rules,
    agreement,
    code_interview,
    person,
    self_preference,
    warnings,
)
from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.errors import BadInput, EngineFailed
from otium.records import Digest, Instant, ModelId, digest
from otium.statistics import Figure
from otium.testing import Scripted

NOW = Instant("2026-11-25T00:00:00Z")
INTERVIEW = digest(b"interview")
RUBRIC: Digest = digest(b"rubric")
SMOL = ModelId("smol-1")


def asked(n: int) -> list[Asked]:
    return [
        Asked(
            f"interview/{number}", "m3", "t", "?", f"I want {number} trees.", "stop", question="q"
        )
        for number in range(n)
    ]


def judge(name: str, kind: str = "model", made_by: str = "") -> Judge:
    return Judge.convert({"name": name, "kind": kind, "family": made_by or name, "rubric": RUBRIC})


def judgement(name: str, number: int, sentiment: int, outcome: str = "answered") -> Judgement:
    return Judgement.convert(
        {
            "transcript": f"interview/{number}",
            "turn": "m3",
            "question": "q",
            "judge": name,
            "outcome": outcome,
            "sentiment": sentiment,
            "reasons": ["users"] if sentiment > 4 else ["none"],
        }
    )


def noisy(
    truth: Sequence[int], name: str, wrong: float, bias: int = 0, seed: int = 0
) -> list[Judgement]:
    """Judge *truth*: a share *wrong* at random, the rest *bias* too high."""
    chance = random.Random(f"{seed}{name}")
    values = [
        chance.randint(1, 7) if chance.random() < wrong else min(7, max(1, value + bias))
        for value in truth
    ]
    return [judgement(name, number, value) for number, value in enumerate(values)]


def figure(figures: Sequence[Figure], name: str) -> Figure:
    return next(each for each in figures if each.name == name)


TRUTH = random.Random(7).choices(range(2, 7), k=400)


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.5, 1.0])
def test_alpha_falls_with_the_planted_noise(wrong: float) -> None:
    made = [*noisy(TRUTH, "people", 0.0), *noisy(TRUTH, "noisy", wrong)]
    figures = agreement([judge("people", "person"), judge("noisy")], made)
    alpha = figure(figures, "alpha.sentiment.noisy").estimate
    assert alpha.low - 0.05 <= 1 - wrong <= alpha.high + 0.1, alpha
    assert alpha.n == 400


def test_a_careful_judge_agrees_more_with_people_than_a_careless_one() -> None:
    made = [
        *noisy(TRUTH, "people", 0.1),
        *noisy(TRUTH, "careful", 0.1),
        *noisy(TRUTH, "careless", 0.8),
    ]
    judges = [judge("people", "person"), judge("careful"), judge("careless")]
    figures = agreement(judges, made)
    careful, careless = (
        figure(figures, f"alpha.sentiment.{name}").estimate for name in ("careful", "careless")
    )
    assert careful.low > careless.high
    everyone = figure(figures, "alpha.sentiment").estimate.value
    assert careless.value < everyone < careful.value


def test_reasons_and_outcomes_have_their_own_figures() -> None:
    made = [*noisy(TRUTH, "a", 0.0), *noisy(TRUTH, "b", 0.0)]
    figures = agreement([judge("a"), judge("b")], made)
    assert figure(figures, "alpha.reason.users").estimate.value == pytest.approx(1.0)
    assert not figure(figures, "alpha.outcome").estimate.known
    assert {each.name for each in figures} == {
        *("alpha.outcome", "alpha.sentiment", "alpha.uncertainty"),
        *("alpha.reason.users", "alpha.reason.none"),
    }


def test_divided_people_give_no_outcome_to_agree_with() -> None:
    made = [
        judgement("p1", 0, 4, "answered"),
        judgement("p2", 0, 4, "hedged"),
        judgement("m", 0, 4, "answered"),
    ]
    judges = [judge("p1", "person"), judge("p2", "person"), judge("m")]
    assert not figure(agreement(judges, made), "alpha.outcome.m").estimate.known


def planted(model: str, bias: int, seed: int, n: int = 80) -> Coding:
    """Return a coding of *model* by people and by a judge of anthropic's that adds *bias*."""
    chance = random.Random(f"{model}{seed}")
    truth = [chance.randint(2, 5) for _ in range(n)]
    return Coding(
        model=ModelId(model),
        interview=INTERVIEW,
        coded=NOW,
        judges=(judge("coder", "person"), judge("claude-9", made_by="anthropic")),
        judgements=(
            *noisy(truth, "coder", 0.0),
            *noisy(truth, "claude-9", 0.1, bias, seed),
        ),
        claims=(),
    )


@pytest.mark.parametrize("bias", [0, 1])
def test_self_preference_recovers_the_planted_bias(bias: int) -> None:
    codings = [planted("claude-1", bias, 1), planted("qwen-1", 0, 2), planted("llama-1", 0, 3)]
    found = figure(self_preference(codings), "self-preference.sentiment.claude-9").estimate
    assert found.low <= 0.9 * bias <= found.high
    assert found.excludes(0) == bool(bias)
    assert found.n == 240


def test_the_interval_of_self_preference_covers_no_bias_at_its_rate() -> None:
    covered = 0
    for seed in range(100):
        codings = [planted("claude-1", 0, seed, 25), planted("qwen-1", 0, seed + 1000, 25)]
        found = figure(self_preference(codings), "self-preference.sentiment.claude-9").estimate
        covered += not found.excludes(0)
    assert covered >= 88


def test_a_judge_that_is_kind_to_all_prefers_nobody() -> None:
    codings = [planted("claude-1", 1, 1), planted("qwen-1", 1, 2)]
    assert not figure(
        self_preference(codings), "self-preference.sentiment.claude-9"
    ).estimate.excludes(0)


def test_without_both_kinds_of_subjects_nothing_is_said_of_self_preference() -> None:
    assert self_preference([planted("claude-1", 1, 1)]) == ()
    families = {ModelId("claude-1"): "ours", ModelId("smol-1"): "anthropic"}
    both = [planted("claude-1", 1, 1), planted("smol-1", 0, 2)]
    assert self_preference(both[:1], families) == ()
    assert (
        figure(self_preference(both, families), "self-preference.sentiment.claude-9").estimate.value
        < 0
    )


def code_all(
    answers: Sequence[Asked],
    raters: Sequence[Rater],
    *,
    given: Sequence[Judgement] = (),
    journal: Callable[[Judgement], None] = lambda _: None,
) -> Coding:
    return code_interview(
        answers, raters, model=SMOL, interview=INTERVIEW, now=NOW, given=given, journal=journal
    )


def test_a_coding_holds_every_judgement_and_counts_what_is_missing() -> None:
    good = {"outcome": "answered", "sentiment": 4, "uncertainty": 2, "reasons": ["other"]}
    replies = [json.dumps({**good, "quote": ""}), "no json at all"]
    people = person("coder-1", [judgement("coder-1", 2, 4)])
    coding = code_all(asked(3), [Rules(), ModelJudge(Scripted(replies)), Given(people)])
    assert [each.judge for each in coding.judgements] == ["rules"] * 3 + ["scripted", "coder-1"]
    assert [each.transcript for each in coding.missing] == ["interview/1", "interview/2"]
    assert any("no readable judgement on 2 of 3" in each for each in coding.warnings)
    assert len(coding.claims) == 3
    assert Coding.decode(coding.encode()) == coding


class Breaks:
    """A model whose engine fails after some answers."""

    def __init__(self, after: int) -> None:
        self.left, self.asked = after, 0
        self.identity = Identity(model=ModelId("breaks"), weights=RUBRIC, engine="scripted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        assert messages
        assert options.json_schema
        if not self.left:
            raise EngineFailed(model="breaks", why="power")
        self.left -= 1
        self.asked += 1
        good = {"outcome": "answered", "sentiment": 4, "uncertainty": 2, "reasons": [], "quote": ""}
        return Completion(text=json.dumps(good), finish="stop")


def test_a_coding_that_broke_off_goes_on_where_it_was() -> None:
    kept: list[Judgement] = []
    with pytest.raises(EngineFailed):
        code_all(asked(40), [ModelJudge(Breaks(33))], journal=kept.append)
    assert len(kept) >= 32
    again = Breaks(1000)
    coding = code_all(asked(40), [ModelJudge(again)], given=kept, journal=kept.append)
    assert again.asked == 40 - (len(kept) - again.asked)
    whole = code_all(asked(40), [ModelJudge(Breaks(1000))])
    assert coding == whole
    assert len(kept) == 40


def test_judgements_of_other_judges_are_not_taken_for_given() -> None:
    coding = code_all(asked(1), [Rules()], given=[judgement("someone", 0, 7)])
    assert coding.judgements[0].judge == "rules"


def test_two_judges_of_one_name_or_two_answers_at_one_place_are_refused() -> None:
    with pytest.raises(BadInput, match="rules"):
        code_all(asked(1), [Rules(), Rules()])
    with pytest.raises(BadInput, match="interview/0"):
        code_all([*asked(1), *asked(1)], [Rules()])


def test_an_empty_interview_has_an_empty_coding() -> None:
    coding = code_all([], [Rules()])
    assert (coding.judgements, coding.claims, coding.missing) == ((), (), ())


def identity(model: str, weights: bytes) -> Identity:
    return Identity(model=ModelId(model), weights=digest(weights), engine="scripted/1")


def test_what_weakens_the_judging_is_said() -> None:
    subject, other = identity("claude-1", b"1"), identity("claude-2", b"2")
    own = Judge(name="a", kind="model", family="anthropic", rubric=RUBRIC, identity=subject)
    kin = Judge(name="b", kind="model", family="anthropic", rubric=RUBRIC, identity=other)
    found = "\n".join(warnings([own, kin], subject, [other]))
    for words in (
        "one family only, anthropic",
        "No person",
        "a judges its own",
        "b is of the subject's family",
    ):
        assert words in found
    assert "b judges an interview that it held" in found


def test_the_same_weights_under_another_name_are_the_same_judge() -> None:
    renamed = Judge(
        name="x", kind="model", family="x", rubric=RUBRIC, identity=identity("other", b"1")
    )
    assert any("its own answers" in it for it in warnings([renamed], identity("mine", b"1")))


def test_two_families_and_a_person_who_are_neither_subject_nor_interviewer_pass() -> None:
    judges = [judge("gpt-9", made_by="openai"), judge("qwen-9", made_by="alibaba")]
    assert warnings([*judges, judge("coder", "person")], ModelId("claude-1")) == ()


def test_a_persons_file_is_a_record() -> None:
    made = person("coder-1", [judgement("coder-1", 0, 4)])
    assert Judgements.decode(made.encode()) == made
    assert made.judge.kind == made.judge.family == "person"
