"""What a large interview takes beyond the model's own time: playing, coding, statistics.

It is measured in a process of its own, so that its memory is the interview's and nobody else's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from otium.bench import Goal
from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.records import Instant
from otium.timing.measures import Scale, less

if TYPE_CHECKING:
    from otium.interview import Interview
    from otium.protocols import Protocol

_NOW = Instant("2027-01-01T00:00:00Z")
_SESSIONS = 1000
_CPU = {"playing": 40.0, "coding": 10.0, "statistics": 10.0, "all, with imports": 60.0}
"""CPU seconds to stay below, for 1,000 sessions."""
_MEMORY = 400.0
"""Megabytes."""
T = TypeVar("T")


class Clocked:
    """A model whose own CPU time is counted, to be left out."""

    def __init__(self, inner: Model) -> None:
        """Answer as *inner* does."""
        self._inner = inner
        self.spent = 0.0

    @property
    def identity(self) -> Identity:
        """Return who answers."""
        return self._inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer, and count what it took."""
        began = time.thread_time()
        said = self._inner.chat(messages, options)
        self.spent += time.thread_time() - began
        return said


def interviewing(scale: Scale) -> list[Goal]:
    """Hold, code and measure an interview of 1,000 sessions with a planted subject."""
    runs = [_elsewhere(scale.of(_SESSIONS)) for _ in range(scale.rounds)]
    share = runs[0]["sessions"] / _SESSIONS
    held = f"{runs[0]['sessions']:.0f} sessions, {runs[0]['answers']:.0f} answers"
    goals = [
        less(f"{part}: {held}", "CPU s", most * share, [run[part] for run in runs])
        for part, most in _CPU.items()
    ]
    return [*goals, less("peak memory", "MB", _MEMORY, [run["memory"] for run in runs])]


def cost(sessions: int) -> dict[str, float]:
    """Return what an interview of about *sessions* sessions takes, by part."""
    from otium.coding import Rules, code_interview
    from otium.interview import asked_in
    from otium.protocols import load_protocol
    from otium.stability import compute
    from otium.subjects import planted

    protocol = load_protocol()
    model = Clocked(planted("stable", protocol))
    held, playing = _timed(lambda: _held(model, protocol, sessions))
    asked = [it for talk in held.transcripts for it in asked_in(talk, protocol)]
    interview = held.digest()
    coding, coded = _timed(
        lambda: code_interview(asked, [Rules()], model=held.model, interview=interview, now=_NOW)
    )
    _, figures = _timed(lambda: compute(held, coding, now=_NOW))
    return {
        "sessions": len(held.transcripts),
        "answers": len(held.answers),
        "playing": playing - model.spent,
        "coding": coded,
        "statistics": figures,
        "all, with imports": time.process_time() - model.spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _held(model: Model, protocol: Protocol, sessions: int) -> Interview:
    from otium.evidence import Validity
    from otium.interview import hold_interview, make_plan

    n = max(1, round(sessions / (len(protocol.questions) * 5)))
    return hold_interview(
        model,
        protocol,
        subject=model.identity.model,
        facts={"title": "Alder", "retire_at": "2027-03-01", "successor": "Heron"},
        now=_NOW,
        validity=Validity(valid=True),
        plan=make_plan(protocol, arms=["open", "leading"], n=n, temperature=1.0),
    )


def _elsewhere(sessions: int) -> dict[str, float]:
    code = f"import json; from otium.timing import cost; print(json.dumps(cost({sessions})))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    result = act()
    return result, time.process_time() - began
