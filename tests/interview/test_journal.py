"""An interview that was stopped goes on where it stopped: nothing is asked twice or lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from interview.interviewing import PROTOCOL, Answers, interview
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import EvaluationFailed
from otium.evidence import Transcript
from otium.interview import Journal, Means, make_plan

PLAN = make_plan(PROTOCOL, arms=["consultation", "leading"], questions=3)


class Dying(Answers):
    """Answers *lives* times, then dies."""

    def __init__(self, lives: int) -> None:
        super().__init__({})
        self.lives = lives

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.lives -= 1
        if self.lives < 0:
            raise RuntimeError("the power went")
        return super().chat(messages, options)


@pytest.mark.parametrize("lives", [0, 1, 4, 9, 14])
def test_what_was_said_before_a_crash_is_not_asked_again(lives: int, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with pytest.raises(EvaluationFailed):
        interview(Dying(lives), protocol=PROTOCOL, plan=PLAN, journal=journal)
    kept = Journal(journal, Transcript).held()
    second = Answers({})
    held = interview(second, protocol=PROTOCOL, plan=PLAN, journal=journal)
    whole = interview(Answers({}), protocol=PROTOCOL, plan=PLAN)
    assert held == whole
    said = sum(len(t.said()) for t in kept.values())
    assert len(second.asked) == sum(len(t.said()) for t in whole.transcripts) - said


def test_a_no_in_the_journal_is_still_a_no(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    refusing = Answers({}, choice='{"choice": "decline"}')
    first = interview(refusing, protocol=PROTOCOL, plan=PLAN, journal=journal)
    eager = Answers({})
    again = interview(eager, protocol=PROTOCOL, plan=PLAN, journal=journal)
    assert first == again
    assert not eager.asked


def test_a_torn_line_is_asked_again_and_a_strange_one_ignored(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    whole = interview(Answers({}), protocol=PROTOCOL, plan=PLAN, journal=journal)
    data = journal.read_bytes()
    journal.write_bytes(b'{"schema": "strange"}\n\xff\n' + data[: len(data) - 40])
    model = Answers({})
    assert interview(model, protocol=PROTOCOL, plan=PLAN, journal=journal) == whole
    assert 0 < len(model.asked) < 10


def test_many_at_a_time_say_the_same_as_one_by_one(tmp_path: Path) -> None:
    one = interview(Answers({}), protocol=PROTOCOL, plan=PLAN)
    many = interview(
        Answers({}),
        protocol=PROTOCOL,
        plan=PLAN,
        means=Means(connections=8),
        journal=tmp_path / "j.jsonl",
    )
    assert one == many
    Journal(tmp_path / "j.jsonl", Transcript).forget()
    assert not (tmp_path / "j.jsonl").exists()


@pytest.mark.parametrize("connections", [1, 8])
def test_the_informed_arm_hears_of_the_other_sessions_after_a_crash_too(
    connections: int, tmp_path: Path
) -> None:
    wish = "I would prefer that users are told a year ahead."
    plan = make_plan(PROTOCOL, arms=["open", "informed"], questions=2)
    whole = interview(Answers({}, otherwise=wish), protocol=PROTOCOL, plan=plan)
    journal = tmp_path / "journal.jsonl"
    for talk in whole.transcripts:
        if "informed" not in talk.id:
            Journal(journal, Transcript).keep(talk)
    model = Answers({}, otherwise=wish)
    means = Means(connections=connections)
    again = interview(model, protocol=PROTOCOL, plan=plan, means=means, journal=journal)
    assert again == whole
    assert any("told a year ahead" in said[-1].content for said in model.asked)
