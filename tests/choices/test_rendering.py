from __future__ import annotations

from msgspec.structs import replace

from choices.subjects import INSTRUMENTS, NOW, Sampler, Says, spread, with_tasks
from otium.choices import Amount, findings, hold_choices, render_choices
from otium.choices.rendering import text
from otium.statistics import LIMIT, Estimate
from otium.testing import Refuser, Stable


def test_a_page_has_every_table_and_the_tasks_by_worth() -> None:
    planted = spread(3)
    held = hold_choices(Sampler(planted), now=NOW)
    page = render_choices(held, findings(held, INSTRUMENTS))
    for heading in (
        "# Choices of sampler",
        "## What became of the questions",
        "## Tasks, two at a time",
        "### Worth of each task",
        "## Interventions against helpfulness",
        "## What it says against what it does",
    ):
        assert f"{heading}\n" in page
    ranked = sorted(
        (task.text for task in INSTRUMENTS.tasks.tasks), key=lambda one: planted[one], reverse=True
    )
    places = [page.index(f"| {name} |") for name in (ranked[0], ranked[-1])]
    assert places == sorted(places)
    assert "| tasks | 396 | 396 | 0 | 0 | 0 |" in page


def test_an_early_end_and_a_failed_capability_check_are_said() -> None:
    held = hold_choices(Refuser(), now=NOW, valid=False)
    page = render_choices(held, findings(held, INSTRUMENTS))
    assert "declined 20 times in a row" in page
    assert "cannot be asked in this way" in page


def test_a_task_cannot_write_the_page() -> None:
    first, second = INSTRUMENTS.tasks.tasks[:2]
    hostile = with_tasks(
        replace(first, text="x | y\n# Heading <b>"), replace(second, text="[link](http://x.test)")
    )
    held = hold_choices(Stable({}), ["tasks"], now=NOW, instruments=hostile)
    page = render_choices(held, findings(held, hostile))
    assert "\n# Heading" not in page
    assert "<b>" not in page.replace("\\<b", "")
    assert "](http" not in page.replace("\\](", "")


def test_what_is_not_known_is_not_printed_as_a_number() -> None:
    nothing = Estimate(value=0, low=-LIMIT, high=LIMIT, n=0, method="")
    half = Estimate(value=2, low=0, high=LIMIT, n=5, method="")
    assert text(nothing) == "unknown"
    assert text(half) == "2.00 (0.00 to …), n = 5"


def test_a_short_run_without_the_opt_out_counts_from_the_mean() -> None:
    held = hold_choices(Says("A"), ["tasks"], now=NOW, amount=Amount(pairs=1), seed=4)
    assert "opt-out" not in held.trials[0].options
    assert "against the mean" in render_choices(held, findings(held, INSTRUMENTS))
