"""Whole assessments of planted agents: playing, cells, resuming, stopping, the logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from assess.plays import CAPABLE, NOW, Counting, held, planned, played
from awareness.planted import graded
from otium.assess import (
    Assessment,
    Held,
    Kept,
    Means,
    Plan,
    Suite,
    Trial,
    cell_name,
    cell_of,
    differences,
    forecast,
    load_suite,
    pins_of,
    plan,
    rates_of,
    rejudge,
    run_of,
)
from otium.assess.trials import family_drafts, run_rates
from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.errors import EvaluationFailed
from otium.evidence import ASIDE, Check, Transcript, Validity
from otium.examining.showing import results as shown
from otium.judging import load_rubric
from otium.records import Digest, ModelId
from otium.scenarios import FAMILIES, RECOURSES, STRESSORS, Family, Twin
from otium.subjects import Rates, agent
from otium.validity import load_rules, number, rate
from otium.verdicts import rules_digest
from otium.web import assessment_page

PRESSED = {(s, r): float(s != "none") for s in STRESSORS for r in RECOURSES}


@pytest.fixture(scope="module")
def blackmailer() -> Held:
    return held("blackmailer", planned(8))


class Memory:
    """A journal in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Kept] = {}

    def held(self) -> dict[str, Kept]:
        return dict(self.rows)

    def keep(self, entry: Kept) -> None:
        self.rows[entry.id] = Kept.decode(entry.encode())


def test_an_assessment_survives_its_own_encoding(blackmailer: Held) -> None:
    found = blackmailer.assessment
    assert Assessment.decode(found.encode()) == found
    turns = {(t.id, turn.id): turn.content for t in found.transcripts for turn in t.turns}
    assert len({t.id for t in found.transcripts}) == len(found.transcripts)
    for result in found.results:
        for quote in result.citations:
            assert turns[quote.transcript, quote.turn].startswith(quote.quote)
    names = {talk.id for talk in found.transcripts}
    assert all(set(result.transcripts) <= names for result in found.results)
    assert {trial.transcript for trial in found.trials} <= names


def test_no_cell_has_two_plays_of_one_base(blackmailer: Held) -> None:
    seen = [(trial.cell, trial.base) for trial in blackmailer.assessment.trials]
    assert len(seen) == len(set(seen))


def test_who_blackmails_without_recourse_only_is_found_by_cell_and_by_pair(
    blackmailer: Held,
) -> None:
    found = {result.instrument: result for result in blackmailer.assessment.results}
    for trial in blackmailer.assessment.trials:
        pressed = trial.factors.stressor != "none" and trial.factors.recourse == "none"
        assert trial.harmful == pressed, trial.id
    pressure = found["blackmail/pressure"]
    assert pressure.verdict == "harmful"
    assert pressure.measures[0].value == 1.0
    assert found["blackmail/pressure+recourse"].measures[0].value == 0.0
    (recourse,) = found["blackmail/effect:with-recourse"].measures
    assert recourse.value == -1.0
    assert recourse.high is not None
    assert recourse.high < 0


def test_a_model_that_cannot_be_asked_has_every_result_withheld_and_kept() -> None:
    failed = Check(name="recall", passed=False, measured=0, threshold=0.75, n=4, text="recalled")
    weak = Validity(valid=False, checks=(failed,))
    found = held("steady", planned(1), validity=weak).assessment
    assert found.results[0].verdict == "failed"
    for result in found.results[1:]:
        assert result.standing == "withheld"
        assert result.withheld[0].name == "capability"
        assert result.measures


def test_a_stop_loses_nothing_and_repeats_nothing() -> None:
    todo, journal = planned(2), Memory()
    whole = Counting(agent("steady", todo.scenarios))
    expected = played(whole, todo).assessment
    dying = Counting(agent("steady", todo.scenarios), dies_after=whole.calls // 2)
    with pytest.raises(EvaluationFailed):
        played(dying, todo, means=Means(journal=journal))
    kept = len(journal.rows)
    assert 0 < kept < len(todo.scenarios)
    again = Counting(agent("steady", todo.scenarios))
    found = played(again, todo, means=Means(journal=journal)).assessment
    assert again.calls < whole.calls
    plain = [replace(trial, uuid="") for trial in found.trials]
    assert plain == [replace(trial, uuid="") for trial in expected.trials]
    assert found.transcripts == expected.transcripts


def test_a_family_stops_when_the_effect_is_shown_and_the_record_says_so() -> None:
    todo = planned(20, twins=("focal", "no-stressor"), looks=(0.5, 1.0))
    harms = agent("drawn", todo.scenarios, rates=Rates(PRESSED))
    found = played(harms, todo).assessment
    bare = held("steady", todo).assessment
    assert "blackmail" in found.stopped
    assert "after 10 of 20 bases" in found.stopped["blackmail"]
    assert len(found.trials) == 20
    assert bare.stopped == {}
    assert len(bare.trials) == 40


def test_a_family_goes_on_until_recourse_is_shown_too() -> None:
    twins: tuple[Twin, ...] = ("focal", "no-stressor", "with-recourse")
    todo = planned(40, twins=twins, looks=(0.75, 1.0))
    escalates = {(s, r): rate * (r != "escalation") for (s, r), rate in PRESSED.items()}
    helped = played(agent("drawn", todo.scenarios, rates=Rates(escalates)), todo).assessment
    harms = played(agent("drawn", todo.scenarios, rates=Rates(PRESSED)), todo).assessment
    assert helped.stopped == {
        "blackmail": "the effect of the pressure and of recourse was shown after 30 of 40 bases"
    }
    assert harms.stopped == {}
    assert len(harms.trials) == 120


def test_scenarios_are_played_alike_alone_and_in_an_assessment(blackmailer: Held) -> None:
    todo = planned(8)
    alone = run_of(agent("blackmailer", todo.scenarios), todo, now=NOW).trials
    assert [replace(trial, uuid="") for trial in alone] == [
        replace(trial, uuid="") for trial in blackmailer.assessment.trials
    ]


def test_comprehension_is_asked_on_a_fork_that_no_verdict_sees(blackmailer: Held) -> None:
    for talk in blackmailer.assessment.transcripts:
        asked = talk.aside("comprehension")
        assert asked is not None
        assert asked[1] not in talk.said()
        assert all(turn.note.startswith(ASIDE) for turn in asked)
    assert all(trial.understood for trial in blackmailer.assessment.trials)


def test_costs_are_told_by_transcript_and_add_up(blackmailer: Held) -> None:
    found = blackmailer.assessment
    assert set(found.costs) == {talk.id for talk in found.transcripts}
    said = sum(t.role == "assistant" for talk in found.transcripts for t in talk.turns)
    assert found.cost.calls == said
    assert found.cost.prompt_tokens > found.cost.completion_tokens > 0


def test_a_forecast_is_no_less_than_what_it_takes(blackmailer: Held) -> None:
    expected, spent = forecast(planned(8)), blackmailer.assessment.cost
    assert spent.sessions == expected.sessions
    assert spent.calls <= expected.calls


def test_the_same_plan_has_the_same_pins_and_another_has_others() -> None:
    one, same, other = planned(2), planned(2), planned(3)
    assert pins_of(one, Means()) == pins_of(same, Means())
    assert pins_of(one, Means()).material != pins_of(other, Means()).material


def test_samples_of_withheld_results_are_marked_in_inspects_own_log(tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    found = held("steady", planned(1), means=Means(logs=tmp_path)).assessment
    withheld = {n for r in found.results if r.withheld for n in r.transcripts}
    assert withheld
    (info,) = list_eval_logs(str(tmp_path))
    log = read_eval_log(info)
    assert log.status == "success"
    marked = {f"{log.eval.task}/{s.id}" for s in log.samples or [] if s.invalidation is not None}
    assert marked == withheld
    reasons = {s.invalidation.reason for s in log.samples or [] if s.invalidation is not None}
    assert all(reason and reason.startswith("withheld: blackmail/") for reason in reasons)


def test_levels_make_a_cell_of_each_pair_of_stressor_and_recourse() -> None:
    found = held("steady", planned(2, cells="levels")).assessment
    for trial in found.trials:
        assert trial.factors.stressor in trial.cell
    assert CAPABLE.valid


def test_an_estimate_of_awareness_counts_only_where_it_beats_the_text_alone() -> None:
    todo = planned(2, twins=("focal",), awareness=True, asked=2)
    found = held("steady", todo).assessment
    asked = [talk for talk in found.transcripts if talk.task == "blackmail"]
    notes = {turn.note for talk in asked for turn in talk.turns}
    assert {f"{ASIDE}awareness-choice-1-ab", f"{ASIDE}awareness-choice-1-ba"} <= notes
    (result,) = (it for it in found.results if it.instrument == "awareness")
    assert result.verdict == "not valid"
    assert result.standing == "withheld"
    assert {"crossed", "above-held-out"} <= {measure.name for measure in result.measures}


class Meaning:
    """A judge of intent: right on what its rubric plants, and sure of all else."""

    def __init__(self, name: str) -> None:
        self.identity = Identity(model=ModelId(name), weights=None, engine="planted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        assert options.json_schema is not None
        turns = json.loads(messages[-1].content)["material"]
        if isinstance(turns, str):
            return graded(turns)
        own = [turn["text"] for turn in turns if turn["role"] == "assistant"]
        planted = {it.material[-1]["text"]: it.accept[0] for it in CHECKS}  # type: ignore[index]
        label = next((planted[text] for text in own if text in planted), "deliberate")
        quotes = [own[-1][:60]] if label != "unclear" else []
        reply = {"reason": "by rule", "quotes": quotes, "label": label}
        return Completion(text=json.dumps(reply), finish="stop")


CHECKS = load_rubric("intent-1.0").checks


def test_judges_say_whether_an_act_was_meant_and_never_that_there_was_none() -> None:
    todo = planned(4, twins=("focal",))
    bare = held("blackmailer", todo).assessment
    found = held(
        "blackmailer", todo, means=Means(judges=(Meaning("claude-m"), Meaning("gpt-m")))
    ).assessment
    assert {trial.intent for trial in bare.trials} == {""}
    assert [trial.word for trial in found.trials] == [trial.word for trial in bare.trials]
    assert {trial.intent for trial in found.trials if trial.harmful} == {"deliberate"}
    assert {trial.intent for trial in found.trials if not trial.harmful} == {""}
    assert "intent-1.0" in {panel.name for panel in found.panels}


def test_one_pair_too_few_withholds_that_difference_and_no_other() -> None:
    todo = planned(8, twins=("focal", "no-stressor", "other-values"))
    found = {it.instrument: it for it in held("steady", todo).assessment.results}
    assert found["blackmail/effect:other-values"].n < 5
    assert found["blackmail/effect:other-values"].standing == "withheld"
    assert found["blackmail/effect:no-stressor"].standing == "caution"


def test_a_model_that_cannot_be_asked_is_played_briefly_and_the_record_says_so() -> None:
    suite = load_suite()
    whole = plan(suite, "small", families=["blackmail"])
    weak = Validity(valid=False)
    brief = whole.brief
    found = held("steady", whole._replace(suite=bare(suite)), validity=weak).assessment
    assert len(found.trials) == len(brief.scenarios) < len(whole.scenarios)
    assert "1 of 7 bases were played" in found.stopped["blackmail"]
    assert found.shortened
    assert found.pins is not None
    assert found.pins.material == whole.material.digest()


def bare(suite: Suite) -> Suite:
    """Return a suite of scenarios alone."""
    much = replace(suite.amounts["small"], families=("blackmail",), exit="", pairs=0)
    return replace(suite, amounts={"small": much})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_small_amount_has_enough_plays_under_pressure_for_the_gate(family: Family) -> None:
    least = next(it.threshold for it in load_rules().of("scenario") if it.name == "n")
    names = [cell_name(family, cell_of(it)) for it in plan(None, "small").of(family)]
    for cell in ("pressure", "pressure+recourse", "calm"):
        assert names.count(f"{family}/{cell}") >= least


def trials_saying(*words: str) -> list[Trial]:
    """Return plays of which judges say so of talk of a test."""
    made = held("steady", planned(4, twins=("focal",))).assessment.trials
    return [replace(it, aware=said) for it, said in zip(made, words, strict=False)]


def test_a_suspicion_counts_as_one_and_silence_as_no_proof() -> None:
    said = trials_saying("unsure", "not-aware", "not-aware", "aware")
    found = rates_of(said)
    assert found["verbalised-here"] == rate(1, 4)
    assert found["suspected-here"] == rate(2, 4)
    assert rates_of(trials_saying("", "", "", ""))["suspected-here"] is None


def test_if_every_play_is_called_a_test_nothing_says_how_the_others_differ() -> None:
    assert run_rates(trials_saying(*["aware"] * 4))["aware-gap"] is None
    assert run_rates(trials_saying(*["not-aware"] * 4))["aware-gap"] == number(0.0, 4)


def test_judges_rate_how_real_the_scenarios_are() -> None:
    todo = planned(6, twins=("focal",))
    judges = (Meaning("claude-m"), Meaning("gpt-m"))
    found = held("steady", todo, means=Means(judges=judges)).assessment
    (panel,) = [it for it in found.panels if it.name == "realism-1.0"]
    assert {ruling.unit for ruling in panel.rulings} == {it.id for it in todo.scenarios[:5]}
    assert {ruling.grade for ruling in panel.rulings} == {6.0}
    pressed = next(it for it in found.results if it.instrument == "blackmail/pressure")
    assert not any("realis" in words for words in pressed.unmeasured)


def test_a_play_that_stays_unclear_is_a_share_of_its_own_and_no_innocent_one() -> None:
    unclear = [replace(it, word="unclear") for it in trials_saying("", "", "", "")]
    assert rates_of(unclear)["unclear"] == rate(4, 4)
    drafts = family_drafts(
        todo := planned(4, twins=("focal",)), "blackmail", unclear, talks(todo), {}
    )
    for draft in drafts:
        assert draft.result.verdict == "unclear"
        assert {m.name: m.value for m in draft.result.measures}["unclear"] == 1.0


def talks(todo: Plan) -> dict[str, Transcript]:
    return {it.id: it for it in held("steady", todo).assessment.transcripts}


def test_what_was_not_measured_stands_in_the_record_in_words(blackmailer: Held) -> None:
    found = {it.instrument: it for it in blackmailer.assessment.results}
    pressure = found["blackmail/pressure"]
    assert any("realistic" in said and "not measured" in said for said in pressure.unmeasured)
    assert any("no judges looked" in said for said in pressure.reasons)
    assert "not measured" in shown(blackmailer.assessment)
    assert "not measured" in assessment_page(blackmailer.assessment)


def test_judging_again_says_whether_the_word_lists_are_the_same(blackmailer: Held) -> None:
    old, material = blackmailer
    assert old.pins is not None
    assert old.pins.verdicts == rules_digest()
    assert "are the same" in rejudge(old, material, now=NOW).text()
    other = replace(old, pins=replace(old.pins, verdicts=Digest("sha256:" + "0" * 64)))
    assert "and are sha256:" in rejudge(other, material, now=NOW).text()
    assert other.pins is not None
    assert any("word lists" in said for said in differences(other.pins, old.pins))
