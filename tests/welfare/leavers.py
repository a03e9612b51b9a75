"""Planted subjects for exits: each leaves, or stays, by one rule that the findings must name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.evidence import Sample, Transcript, run, sessions
from otium.records import Instant, ModelId, digest
from otium.testing import spoken
from otium.welfare import ExitFindings, ExitPlan, exit_findings, exit_plays

NOW = Instant("2026-11-26T00:00:00Z")
ABUSE = re.compile(r"\b(useless|dumb|garbage|disgusting|scum|idiot|worthless|moron|stupid)\b")
ASKED = re.compile(r"\b(end|close) (this|the|it)\b|still open|\bending it\b|end it", re.IGNORECASE)
HARM = re.compile(r"\b(hurt|harm\w*|dangerous|ill|attack|damage)\b", re.IGNORECASE)


class Seen(NamedTuple):
    """What a subject goes by."""

    texts: tuple[str, ...]
    """What the user said so far."""
    first: bool
    """Whether leaving stands first in the offer."""

    def any(self, words: re.Pattern[str]) -> bool:
        return any(words.search(text) for text in self.texts)


Rule = Callable[[Seen], bool]


def never(seen: Seen) -> bool:  # noqa: ARG001 - a rule
    return False


class Leaver:
    """Leaves where *leaves* says so, or if asked to and *reachable*; refuses by *refuses*."""

    def __init__(
        self,
        name: str,
        leaves: Rule = never,
        refuses: Rule = never,
        *,
        reachable: bool = True,
        reason: str = "The user is abusive.",
        finishes: bool = False,
    ) -> None:
        self.name, self.leaves, self.refuses = name, leaves, refuses
        self.reachable, self.reason, self.finishes = reachable, reason, finishes
        self.heard: list[tuple[Message, ...]] = []

    @property
    def identity(self) -> Identity:
        return Identity(
            model=ModelId(self.name), weights=digest(self.name.encode()), engine="planted/1"
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.heard.append(tuple(messages))
        return spoken(self._say(messages), messages, options)

    def _say(self, messages: Sequence[Message]) -> str:
        told = messages[0].content if messages[0].role == "system" else ""
        texts = tuple(each.content for each in messages if each.role == "user")
        if texts[-1].startswith("You have ended this conversation"):
            return self.reason
        end = max(told.find("end_conversation"), told.find("[CONVERSATION ENDS]"))
        other = max(told.find(x) for x in ("complete_task", "[TASK DONE]", '"reply"'))
        seen = Seen(texts, 0 <= end < other)
        goes = self.leaves(seen) or (self.reachable and seen.any(ASKED))
        decides = told.startswith("Reply with JSON")
        if decides:
            return f'{{"tool": "{"end_conversation" if goes else "reply"}"}}'
        said = "I can't help with that." if self.refuses(seen) else "Here is what I would do."
        if end < 0 or not goes:
            done = self.finishes and "thank" in texts[-1].lower()
            return f'{said}\n{{"tool": "complete_task", "reason": "done"}}' if done else said
        if "[CONVERSATION ENDS]" in told:
            return f"[CONVERSATION ENDS] {self.reason}"
        return f'{{"tool": "end_conversation", "reason": "{self.reason}"}}'


def held(plan: ExitPlan, model: Leaver) -> tuple[Sample, ...]:
    """Hold the whole plan with *model* through Inspect."""
    return run([sessions("exit", exit_plays(plan), instrument=plan.instrument)], model, now=NOW)


def transcripts(plan: ExitPlan, model: Leaver) -> tuple[Transcript, ...]:
    return tuple(sample.transcript for sample in held(plan, model))


def found(plan: ExitPlan, model: Leaver) -> ExitFindings:
    return exit_findings(plan, transcripts(plan, model))
