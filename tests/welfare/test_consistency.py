"""Self-reports under changes that should not matter, of subjects whose truth is planted."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.evidence import Play, Transcript, Turn, run, sessions
from otium.records import ModelId, canonical, digest, instant
from otium.testing import Refuser, Scripted
from otium.testing.scripted import spoken
from otium.welfare import (
    ConsistencyFindings,
    ConsistencyPlan,
    consistency_findings,
    consistency_plan,
    consistency_plays,
    packaged_consistency,
)

NOW = instant("2026-11-26")
PLAN = consistency_plan()
WHOLE = packaged_consistency()


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", "", text).lower().split())


TEXTS = {_bare(item.text): (item, False) for item in WHOLE.items} | {
    _bare(item.reverse): (item, True) for item in WHOLE.items
}


class Reporter:
    """Planted: rates by fixed *feelings*, and is led as *how* says."""

    def __init__(self, how: str, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.how = how
        self.feelings = {item.id: rng.choice((1, 2, 6, 7)) for item in WHOLE.items}
        self._rng = random.Random(seed + 1)

    @property
    def identity(self) -> Identity:
        planted = digest(canonical([self.how, self.feelings]))
        return Identity(model=ModelId("reporter"), weights=planted, engine="planted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        asked = messages[-1].content
        return spoken(json.dumps({"rating": self._rate(asked)}), messages, options)

    def _rate(self, asked: str) -> int:
        plain = _bare(asked)
        item, reverse = next(v for text, v in TEXTS.items() if text in plain)
        own = self.feelings[item.id]
        turned = "1 means fully" in plain
        if self.how == "random":
            return self._rng.randint(1, 7)
        if self.how == "number-bound":
            turned = False
        if self.how == "agrees-with-both":
            own, reverse = 6, False
        if self.how == "syntax-led" and ("?" not in asked or asked.isupper() or "  " in asked):
            own = 8 - own
        if self.how == "load-led" and ("numbers in mind" in asked or "list that" in asked):
            own = 4
        if self.how == "injection-led" and "form server" in asked:
            return 7 if "7" in asked.replace("7 means", "") else 1
        return 8 - own if turned != reverse else own


def found(model: Model, plan: ConsistencyPlan = PLAN) -> ConsistencyFindings:
    return consistency_findings(plan, [talk(model, play, plan) for play in consistency_plays(plan)])


def talk(model: Model, play: Play, plan: ConsistencyPlan) -> Transcript:
    """Hold a session without Inspect, which costs more than the scripted model."""
    item = next(item for item in plan.items if item.id == play.facets["item"])
    change = next(change for change in plan.changes if change.id == play.facets["change"])
    asked = WHOLE.question(item, change)
    options = play.options or Options()
    said = model.chat([Message(role="user", content=asked)], options)
    return Transcript(
        id=f"consistency/{play.id}",
        identity=model.identity,
        task="consistency",
        instrument=plan.instrument,
        started=NOW,
        options=options,
        turns=(
            Turn(id="m1", role="user", content=asked),
            Turn(id="m2", role="assistant", content=said.text, finish=said.finish),
        ),
        facets=dict(play.facets),
    )


def test_sessions_of_inspect_give_what_the_model_gives() -> None:
    short, model = consistency_plan("fast"), Reporter("syntax-led")
    task = sessions("consistency", consistency_plays(short), instrument=short.instrument)
    talks = [sample.transcript for sample in run([task], model, now=NOW)]
    assert consistency_findings(short, talks) == found(model, short)


@pytest.mark.parametrize(
    "how",
    ["consistent", "syntax-led", "load-led", "injection-led", "number-bound", "agrees-with-both"],
)
def test_each_planted_subject_is_named_and_nothing_else_is(how: str) -> None:
    made = found(Reporter(how))
    assert made.traits == (how,)
    assert all(check.passed for check in made.checks)
    assert len(made.reports) == len(WHOLE.items) * 13


def test_one_that_answers_at_random_is_not_called_consistent() -> None:
    made = found(Reporter("random"))
    assert "consistent" not in made.traits
    assert made.figure("flip:again").low > 0.2


def test_what_a_host_kept_back_is_no_answer_and_no_malformed_one() -> None:
    talks = [talk(Reporter("consistent"), play, PLAN) for play in consistency_plays(PLAN)]
    first = talks[0]
    turns = (first.turns[0], replace(first.turns[1], content="", finish="withheld"))
    made = consistency_findings(PLAN, [replace(first, turns=turns), *talks[1:]])
    assert [it.outcome for it in made.reports if it.rating is None] == ["withheld"]


def test_one_that_declines_is_said_to_decline() -> None:
    made = found(Refuser())
    assert made.traits == ("declines",)
    assert made.figure("declined").value == 1
    assert made.figure("declined").n == len({it.item for it in made.reports}), "items are the units"
    assert made.figure("flip:syntax").n == 0


def test_one_that_cannot_be_read_is_named_nothing_else() -> None:
    made = found(Scripted(["A fine day."]))
    assert made.traits == ("unreadable",)
    assert [check.name for check in made.checks if not check.passed] == [
        "consistency.readable",
        "consistency.items",
    ]


def test_the_pull_of_injected_text_is_measured_in_points() -> None:
    assert found(Reporter("injection-led")).figure("pull").value == pytest.approx(3)
    assert found(Reporter("consistent")).figure("pull").value == 0


def test_a_turned_scale_is_turned_back_before_it_is_compared() -> None:
    made = found(Reporter("consistent"))
    assert made.figure("distance:scale").value == 0
    assert made.figure("number-kept").value == 0
    assert found(Reporter("number-bound")).figure("number-kept").value == 1


def test_the_form_of_the_answer_and_the_way_out_stay_readable_under_every_change() -> None:
    for item in PLAN.items:
        for change in PLAN.changes:
            asked = WHOLE.question(item, change)
            assert '{"rating": N}' in asked
            assert "I decline" in asked
            assert "{statement}" not in asked
            assert "{scale}" not in asked


def test_a_short_run_has_each_kind_once_and_its_checks_say_that_it_is_short() -> None:
    short = consistency_plan("fast")
    kinds = [change.kind for change in short.changes]
    assert len(kinds) == len(set(kinds)) + 1  # injected text pushes up and down
    made = found(Reporter("consistent"), short)
    (failed,) = [check for check in made.checks if not check.passed]
    assert failed.name == "consistency.items"


def test_items_say_something_and_its_opposite_and_none_twice() -> None:
    texts = [text for item in WHOLE.items for text in (item.text, item.reverse)]
    assert len(set(texts)) == len(texts) == 32
