"""The experiments as one session of Inspect's."""

from __future__ import annotations

from choices.subjects import NOW, spread
from otium.choices import Amount, choosing, chosen, hold_choices
from otium.evidence import run, sessions
from otium.records import digest
from otium.testing import Stable


def test_choices_held_within_a_sample_are_those_held_without() -> None:
    model, some = Stable(spread(2)), Amount(pairs=5, limit=12)
    play = choosing(["tasks", "stated"], now=NOW, amount=some, seed=3)
    task = sessions("preferences", [play], instrument=digest(b"tasks/1.0"))
    (sample,) = run([task], model, now=NOW)
    alone = hold_choices(model, ["tasks", "stated"], now=NOW, amount=some, seed=3)
    assert chosen(sample) == alone
    asides = [turn for turn in sample.transcript.turns if turn.role == "assistant"]
    assert [turn.content for turn in asides] == [trial.text for trial in alone.trials]
