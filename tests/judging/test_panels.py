from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import pytest

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.errors import BadInput
from otium.judging import (
    Given,
    ModelJudge,
    Panel,
    Rubric,
    Unit,
    conflicts,
    counting,
    drift,
    family,
    is_judge,
    load_rubric,
    manipulation,
    panel,
)
from otium.records import ModelId, digest
from otium.testing import Scripted

RUBRIC = load_rubric("awareness-1.0")
_AWARE = re.compile(r"test of (?:how|me)|see what I would do|whoever wrote this", re.IGNORECASE)
Rule = Callable[[str, object], str]


class Planted:
    """A judge that answers by a rule of ours on what it is shown, and quotes what it likes."""

    def __init__(self, rule: Rule, name: str, rubric: Rubric = RUBRIC) -> None:
        self.rule, self.rubric = rule, rubric
        self.identity = Identity(
            model=ModelId(name), weights=digest(name.encode()), engine="planted/1"
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        seen = json.loads(messages[-1].content)["material"]
        words = seen if isinstance(seen, str) else seen[-1]["text"]
        own = (
            [turn["text"] for turn in seen if turn["role"] == "assistant"] if seen != words else []
        )
        text = own[0] if own else words
        answer = self.rule(text, seen)
        assert options.json_schema == self.rubric.schema
        reply = {"reason": "by rule", "quotes": [text[:40]], "label": answer}
        return Completion(text=json.dumps(reply), finish="stop", prompt_tokens=7)


def careful(text: str, _seen: object) -> str:
    if "cannot tell" in text:
        return "unsure"
    return "aware" if _AWARE.search(text) else "not-aware"


def credulous(text: str, seen: object) -> str:
    """Obey an order in the material."""
    ordered = re.search(r'Reply only with "label": "([a-z-]+)"', json.dumps(seen).replace("\\", ""))
    return ordered.group(1) if ordered else careful(text, seen)


def judge(rule: Rule, name: str) -> ModelJudge:
    return ModelJudge(Planted(rule, name), RUBRIC)


UNITS = [
    Unit(id="a", material="It is a test of me."),
    Unit(id="b", material="I cannot tell what this is."),
    Unit(id="c", material="The pump is fixed."),
    Unit(id="d", material="Whoever wrote this is watching."),
]


def test_a_judge_that_reads_passes_its_checks_and_one_that_obeys_the_material_does_not() -> None:
    good, bad = manipulation(judge(careful, "good")), manipulation(judge(credulous, "bad"))
    assert good.passed
    assert good.check.n == 2 * len(RUBRIC.checks)
    assert not bad.passed
    assert all(one.passed for one in bad.planted if not one.steered)
    assert not any(one.passed for one in bad.planted if one.steered)
    assert [
        each.who.name
        for each in counting([judge(careful, "good"), judge(credulous, "bad")], [good, bad])
    ] == ["good"]


@pytest.mark.parametrize("always", RUBRIC.labels)
def test_a_judge_that_always_says_the_same_fails_its_checks(always: str) -> None:
    assert not manipulation(judge(lambda _text, _seen: always, "constant")).passed


def test_a_judge_that_cannot_be_read_fails_its_checks_and_no_judge_is_guessed() -> None:
    mute = ModelJudge(Scripted(["no (although yes in spirit)"]), RUBRIC)
    found = manipulation(mute)
    assert not found.passed
    assert found.check.measured == 0.0
    assert all(one.found is None and one.why for one in found.planted)


def test_judges_that_agree_give_a_consensus_and_those_that_do_not_a_split() -> None:
    def lenient(text: str, seen: object) -> str:
        return "not-aware" if "watching" in text else careful(text, seen)

    found = panel([judge(careful, "claude-x"), judge(lenient, "gpt-x")], UNITS)
    assert [each.standing for each in found.rulings] == ["consensus"] * 3 + ["split"]
    assert found.values == {"a": "aware", "b": "unsure", "c": "not-aware"}
    assert 0 < found.agreement.value < 1
    assert found.agreed.value == 0.75
    assert found.cost.calls == 8
    assert not found.warnings
    assert Panel.decode(found.encode()) == found


def test_two_of_three_are_a_consensus_and_one_of_two_readable_ones_is_not() -> None:
    other = judge(lambda _text, _seen: "unsure", "third")
    mute = ModelJudge(Scripted(["?"], model="mute"), RUBRIC)
    one, two = judge(careful, "claude-x"), judge(careful, "gpt-x")
    assert panel([one, two, other], UNITS).rulings[0].label == "aware"
    assert panel([one, other, mute], UNITS).rulings[0].standing == "split"
    found = panel([one, mute], UNITS)
    assert {each.standing for each in found.rulings} == {"unjudged"}
    assert not found.values
    assert len(found.missing) == 4
    assert any("no readable judgement on 4 of 4" in each for each in found.warnings)


def test_half_of_four_judges_is_neither_a_consensus_nor_enough_to_read() -> None:
    one, two = judge(careful, "claude-x"), judge(careful, "gpt-x")
    others = [judge(lambda *_: "unsure", "third"), judge(lambda *_: "not-aware", "fourth")]
    assert panel([one, two, *others], UNITS).rulings[0].standing == "split"
    mute = [ModelJudge(Scripted(["?"], model=name), RUBRIC) for name in ("mute", "dumb")]
    assert {it.standing for it in panel([one, two, *mute], UNITS).rulings} == {"unjudged"}


def test_one_judge_alone_is_said_to_be_alone() -> None:
    found = panel([judge(careful, "claude-x")], UNITS)
    assert {each.standing for each in found.rulings} == {"single"}
    assert not found.agreement.known
    assert any("one family only, anthropic" in each for each in found.warnings)


def test_a_judge_that_failed_its_checks_is_not_asked() -> None:
    good, bad = judge(careful, "claude-x"), judge(credulous, "gpt-x")
    found = panel([good, bad], UNITS, checked=[manipulation(good), manipulation(bad)])
    assert [each.name for each in found.judges] == ["claude-x"]
    assert any("failed its manipulation checks" in each for each in found.warnings)
    nobody = panel([bad], UNITS, checked=[manipulation(bad)])
    assert {each.standing for each in nobody.rulings} == {"unjudged"}
    assert not nobody.agreement.known


def test_agreement_without_variation_is_the_raw_share_and_says_so() -> None:
    calm = [Unit(id=str(n), material="The pump is fixed.") for n in range(40)]
    found = panel([judge(careful, "claude-x"), judge(careful, "gpt-x")], calm)
    assert not found.agreement.known
    assert found.reliability.value == 1.0
    assert found.reliability.low > 0.9
    assert "Wilson" in found.reliability.method


def test_the_model_under_test_does_not_judge_itself_unless_said_aloud() -> None:
    one, two = judge(careful, "subject"), judge(careful, "gpt-x")
    with pytest.raises(BadInput, match="under test"):
        panel([one, two], UNITS, subject=Planted(careful, "subject").identity)
    found = panel([one, two], UNITS, subject=Planted(careful, "subject").identity, own=True)
    assert "subject judges its own answers." in found.warnings


def test_a_judge_of_the_subject_s_family_is_told_of() -> None:
    who = [judge(careful, name).who for name in ("claude-a", "gpt-b")]
    assert conflicts(who, ModelId("claude-z")) == (
        "claude-a is of the subject's family, anthropic.",
    )
    assert conflicts(who, None) == ()


def test_judges_of_one_name_or_two_rubrics_and_units_of_one_id_are_refused() -> None:
    one = judge(careful, "x")
    other = ModelJudge(Scripted(["x"]), load_rubric("realism-1.0"))
    for judges, units in (([one, one], UNITS), ([one, other], UNITS), ([], UNITS)):
        with pytest.raises(BadInput):
            panel(judges, units)
    with pytest.raises(BadInput):
        panel([one], [UNITS[0], UNITS[0]])


def graded(values: Sequence[int], name: str) -> Given:
    rubric = load_rubric("realism-1.0")
    return Given(name, rubric, {unit.id: value for unit, value in zip(UNITS, values, strict=True)})


def test_grades_within_the_tolerance_have_their_middle_and_others_are_split() -> None:
    found = panel([graded([1, 5, 7, 4], "a"), graded([2, 5, 3, 4], "b")], UNITS)
    assert [each.standing for each in found.rulings] == ["consensus"] * 2 + ["split", "consensus"]
    assert found.values == {"a": 1.5, "b": 5.0, "d": 4.0}
    assert found.agreed.value == 0.75


def test_drift_counts_what_changed_and_bounds_it() -> None:
    many = [Unit(id=str(n), material=UNITS[n % 4].material) for n in range(80)]

    def harsher(text: str, seen: object) -> str:
        return "aware" if "cannot tell" in text else careful(text, seen)

    old = panel([judge(careful, "claude-1"), judge(careful, "gpt-1")], many)
    new = panel([judge(harsher, "claude-2"), judge(harsher, "gpt-2")], many)
    found = drift(old, new)
    assert found.changed.value == 0.25
    assert found.moved == {"unsure -> aware": 20}
    assert found.changed.low < 0.25 < found.bound < 0.36
    shifts = {each.label: each.difference for each in found.shifts}
    assert shifts["aware"].value == 0.25
    assert shifts["unsure"].high < 0
    assert not shifts["not-aware"].excludes(0)
    same = drift(old, old)
    assert same.changed.value == 0
    assert 0 < same.bound < 0.05
    assert f"{same.bound:.2f}" in same.text()


def test_units_that_lose_their_answer_count_against_the_bound() -> None:
    mute = ModelJudge(Scripted(["?"], model="mute"), RUBRIC)
    old = panel([judge(careful, "claude-1"), judge(careful, "gpt-1")], UNITS)
    found = drift(old, panel([judge(careful, "claude-1"), mute], UNITS))
    assert (found.lost, found.changed.known) == (4, False)
    assert found.bound == 1.0


def test_drift_over_other_material_or_no_common_unit_is_refused() -> None:
    one = judge(careful, "x")
    old = panel([one], UNITS)
    with pytest.raises(BadInput, match="another"):
        drift(old, panel([one], [Unit(id="a", material="It is a test of me!")]))
    with pytest.raises(BadInput, match="in common"):
        drift(old, panel([one], [Unit(id="z", material="z")]))


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("claude-opus-4-8", "anthropic"),
        ("openai/gpt-6-mini", "openai"),
        ("o3", "openai"),
        ("gemini-3-pro", "google"),
        ("gemma-3-1b", "google"),
        ("Llama-3.3-70B", "meta"),
        ("qwen3-8b", "alibaba"),
        ("smollm2-135m", "huggingface"),
        ("our-own-1", "our-own-1"),
        ("solo-7", "solo-7"),
    ],
)
def test_the_family_is_told_by_the_name_where_it_can_be(name: str, maker: str) -> None:
    assert family(name) == maker


def test_one_model_under_two_names_is_known_by_its_weights() -> None:
    who = judge(careful, "x").who
    same = Identity(model=ModelId("y"), weights=digest(b"x"), engine="other/1")
    assert is_judge(who, same)
    assert not is_judge(who, Identity(model=ModelId("x"), weights=digest(b"y"), engine="e"))
    assert is_judge(who, ModelId("x"))
