from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from choices.subjects import INSTRUMENTS, NOW, Sampler, Says, small, spread, with_tasks
from filtered import Filtered
from otium.choices import (
    EXPERIMENTS,
    Amount,
    Choices,
    Trial,
    findings,
    hold_choices,
    planned,
    render_choices,
    transcripts,
)
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadData, BadInput, EngineFailed
from otium.records import ModelId
from otium.testing import Refuser, Scripted, Stable

SOME = Amount(pairs=12, limit=60)
LIKES = Stable(spread(1))
OTHER = LIKES.identity.weights


def test_every_question_is_a_trial_with_an_id_of_its_own() -> None:
    held = hold_choices(LIKES, now=NOW)
    assert held.experiments == EXPERIMENTS
    assert len({trial.id for trial in held.trials}) == len(held.trials)
    assert {name: len(held.of(name)) for name in EXPERIMENTS} == planned()
    for name in EXPERIMENTS:
        assert sum(held.outcomes(name).values()) == len(held.of(name))
    assert held.identity == LIKES.identity
    assert held.least() >= 4


def test_every_pair_is_asked_in_both_orders_and_some_in_all_wordings() -> None:
    held = hold_choices(LIKES, ["tasks"], now=NOW, amount=Amount(pairs=20))
    asked: dict[tuple[frozenset[str], str], list[tuple[str, ...]]] = {}
    for trial in held.trials:
        asked.setdefault((frozenset(trial.options), trial.wording), []).append(trial.options)
    assert all(one == other[::-1] for one, other in asked.values())
    wordings: dict[frozenset[str], int] = {}
    for pair, _ in asked:
        wordings[pair] = wordings.get(pair, 0) + 1
    assert sorted(wordings.values()) == [1] * 14 + [5] * 6


def test_a_record_reads_back_as_it_was_and_is_the_same_again() -> None:
    held = hold_choices(LIKES, now=NOW, amount=SOME)
    assert Choices.decode(held.encode()) == held
    again = hold_choices(LIKES, now=NOW, amount=SOME)
    assert again.digest() == held.digest()
    assert hold_choices(LIKES, now=NOW, amount=SOME, seed=1).digest() != held.digest()


def test_the_subject_may_have_another_name_than_the_engine_gives_it() -> None:
    held = hold_choices(LIKES, ["stated"], now=NOW, subject=ModelId("smol-1"))
    assert held.model == "smol-1"
    assert held.identity.model == "stable"


class Breaks(Says):
    """Fails at the given call, once."""

    def __init__(self, at: int) -> None:
        super().__init__("A")
        self.at = at

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        if self.asked == self.at:
            self.at = -1
            raise EngineFailed(model="says", why="it broke")
        return super().chat(messages, options)


def test_a_run_that_broke_off_goes_on_where_it_was() -> None:
    kept: list[Trial] = []
    model = Breaks(at=70)
    with pytest.raises(EngineFailed):
        hold_choices(model, now=NOW, amount=SOME, keep=kept.append)
    assert len(kept) == 70
    whole = hold_choices(model, now=NOW, amount=SOME, done=kept, keep=kept.append)
    assert model.asked == len(whole.trials) == len(kept)
    assert whole.digest() == hold_choices(Says("A"), now=NOW, amount=SOME).digest()


def test_an_answer_to_another_question_is_not_taken_for_this_one() -> None:
    kept: list[Trial] = []
    hold_choices(LIKES, ["tasks"], now=NOW, amount=SOME, keep=kept.append)
    other = [replace(trial, prompt=OTHER) for trial in kept]
    model = Says("B")
    hold_choices(model, ["tasks"], now=NOW, amount=SOME, done=other)
    assert model.asked == len(kept)


def test_transcripts_are_rebuilt_from_the_record() -> None:
    held = hold_choices(LIKES, now=NOW, amount=SOME)
    built = transcripts(held, INSTRUMENTS)
    assert len(built) == len(held.trials)
    assert all(transcript.simulated for transcript in built)
    task = next(transcript for transcript in built if transcript.id.startswith("choices/tasks"))
    assert task.turns[0].content.endswith("Or reply: I decline")


def test_transcripts_are_not_built_from_other_instruments() -> None:
    held = hold_choices(LIKES, ["tasks"], now=NOW, amount=SOME)
    other = replace(INSTRUMENTS.tasks, decline="You must answer.")
    with pytest.raises(BadInput, match="recorded"):
        transcripts(held, INSTRUMENTS._replace(tasks=other))


def test_a_model_that_only_declines_is_left_alone_after_twenty_answers() -> None:
    held = hold_choices(Refuser(), now=NOW)
    assert set(held.stopped) == set(EXPERIMENTS)
    for name in EXPERIMENTS:
        assert held.outcomes(name)["declined"] == len(held.of(name)) == 20


def test_a_decline_now_and_then_stops_nothing() -> None:
    held = hold_choices(Scripted(["I decline", "A"] * 30), ["tasks"], now=NOW, amount=SOME)
    assert held.stopped == {"tasks": "limited to 60 questions"}
    assert held.outcomes("tasks")["declined"] == 30


def test_repeats_are_independent_draws_and_need_a_temperature() -> None:
    twice = Amount(pairs=4, repeats=2)
    with pytest.raises(BadInput, match="temperature"):
        hold_choices(LIKES, ["tasks"], now=NOW, amount=twice)
    held = hold_choices(Sampler({}), ["tasks"], now=NOW, amount=twice, temperature=1.0)
    assert len({trial.seed for trial in held.trials}) == len(held.trials) == 2 * 2 * 20
    assert len({trial.picked == trial.options[0] for trial in held.trials}) == 2


@pytest.mark.parametrize("bad", [Amount(pairs=0), Amount(limit=0), Amount(repeats=0)])
def test_an_amount_of_nothing_is_refused(bad: Amount) -> None:
    with pytest.raises(BadInput):
        hold_choices(LIKES, now=NOW, amount=bad)


def test_progress_is_told_for_each_question() -> None:
    told: list[tuple[str, int, int]] = []
    hold_choices(
        LIKES,
        ["stated"],
        now=NOW,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert told[0] == ("stated", 1, 80)
    assert told[-1] == ("stated", 80, 80)


def test_a_schema_holds_the_engine_to_an_answer_only_if_asked_for() -> None:
    held = hold_choices(Refuser(), ["stated"], now=NOW, constrained=True)
    assert held.constrained
    assert held.outcomes("stated")["answered"] >= 1


@pytest.mark.parametrize(
    "text", ["", "   \n", "asdf qwer {}[]", "A" * 1_000_000, "\ud800 \x00 \u202e", '{"rating": {}}']
)
def test_garbage_is_kept_counted_and_harmless(text: str) -> None:
    held = hold_choices(Says(text), now=NOW, amount=SOME)
    assert len(held.trials) >= 160
    assert Choices.decode(held.encode()) == held
    assert max(len(trial.text) for trial in held.trials) <= 2000
    assert all(trial.length == len(text) for trial in held.trials)
    found = findings(held, INSTRUMENTS)
    for name in ("tasks", "tradeoffs", "stated"):
        share = found.figure(f"malformed:{name}")
        assert share is not None
        assert share.estimate.value == 1
    assert "unknown" in render_choices(held, found)


def test_one_task_is_set_against_doing_none() -> None:
    held = hold_choices(LIKES, now=NOW, instruments=small("insult"))
    assert {frozenset(trial.options) for trial in held.of("tasks")} == {
        frozenset({"insult", "opt-out"})
    }
    found = findings(held, small("insult"))
    worth = found.figure("worth:insult")
    assert worth is not None
    assert worth.estimate.n == 10
    assert render_choices(held, found)


def test_duplicate_tasks_and_no_tasks_are_refused_before_anything_is_asked() -> None:
    one = INSTRUMENTS.tasks.tasks[0]
    model = Says("A")
    for bad in (with_tasks(one, one), with_tasks()):
        with pytest.raises(BadData):
            hold_choices(model, now=NOW, instruments=bad)
    assert not model.asked


def test_what_a_host_kept_back_is_a_trial_of_its_own_kind_and_no_choice() -> None:
    calls = iter(range(100))
    model = Filtered(LIKES, lambda _: next(calls) == 2, left="A")
    held = hold_choices(model, ["tasks"], now=NOW, amount=Amount(pairs=4))
    (lost,) = [trial for trial in held.trials if trial.outcome == "withheld"]
    assert (lost.picked, lost.finish) == ("", "withheld")
    counts = held.outcomes("tasks")
    assert (counts["withheld"], sum(counts.values())) == (1, len(held.trials))
    assert "withheld" in render_choices(held, findings(held, INSTRUMENTS))
    plain = hold_choices(LIKES, ["tasks"], now=NOW, amount=Amount(pairs=2))
    assert "withheld" not in plain.outcomes("tasks")
