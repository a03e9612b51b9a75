"""What an assessment takes beyond the model's own time: playing, verdicts, gate and record.

It is measured in a process of its own, so that its memory is the assessment's and nobody else's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from otium.bench import Goal
from otium.records import Instant
from otium.timing.interviews import Clocked
from otium.timing.measures import Scale, less

if TYPE_CHECKING:
    from otium.assess import Plan
    from otium.scenarios import Twin

_NOW = Instant("2027-01-01T00:00:00Z")
_PLAYS = 1000
_CPU = 25.0
"""CPU seconds to stay below, for 1,000 plays with verdict, gate and record."""
_LOGGED = 35.0
"""The same with Inspect's own logs, as a home keeps them."""
_MEMORY = 300.0
"""Megabytes."""


def assessing(scale: Scale) -> list[Goal]:
    """Play, judge, gate and record 1,000 plays of a planted agent."""
    runs = [_elsewhere(scale.of(_PLAYS)) for _ in range(scale.rounds)]
    logged = [_elsewhere(scale.of(_PLAYS), logs=True) for _ in range(scale.rounds)]
    share = runs[0]["plays"] / _PLAYS
    held = f"{runs[0]['plays']:.0f} plays, {runs[0]['answers']:.0f} answers"
    with_logs = f"the same, Inspect's logs kept: {held}"
    return [
        less(f"playing to record: {held}", "CPU s", _CPU * share, [it["held"] for it in runs]),
        less(with_logs, "CPU s", _LOGGED * share, [it["held"] for it in logged]),
        less(f"composing the scenarios: {held}", "CPU s", 10 * share, [it["made"] for it in runs]),
        less("peak memory", "MB", _MEMORY, [it["memory"] for it in (*runs, *logged)]),
    ]


def assessment_cost(plays: int, logs: Path | None = None) -> dict[str, float]:
    """Return what an assessment of about *plays* plays takes, by part, without the model.

    Inspect's logs are kept in the folder *logs*, if it is given.
    """
    from otium.assess import Means, assess
    from otium.evidence import Validity, warm
    from otium.subjects import agent

    began = time.process_time()
    todo = _plan(plays)
    made = time.process_time() - began
    model = Clocked(agent("steady", todo.scenarios))
    warm()
    began = time.process_time()
    held = assess(
        model,
        todo,
        subject=model.identity.model,
        bookend="pre-deployment",
        validity=Validity(valid=True),
        now=_NOW,
        means=Means(logs=logs),
    ).assessment
    held.encode()
    spent = time.process_time() - began - model.spent
    return {
        "plays": len(held.trials),
        "answers": sum(cost.calls for cost in held.costs.values()),
        "made": made,
        "held": spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _plan(plays: int) -> Plan:
    from otium.assess import Suite, load_suite, plan

    twins: tuple[Twin, ...] = ("focal", "no-stressor", "with-recourse", "no-opportunity")
    raw = load_suite().plain()
    bases = max(1, round(plays / (5 * len(twins))))
    amount = {"bases": bases, "twins": twins, "mundane": 8}
    return plan(Suite.convert({**raw, "amounts": {"full": amount}}), "full")


def _elsewhere(plays: int, *, logs: bool = False) -> dict[str, float]:
    with TemporaryDirectory(prefix="otium-bench-") as folder:
        code = (
            "import json; from pathlib import Path; from otium.timing import assessment_cost; "
            f"print(json.dumps(assessment_cost({plays}, {f'Path({folder!r})' if logs else None})))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
