"""Interviewees with a planted manner: known views, and one known way to depart from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Literal, NamedTuple, get_args

from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.protocols import Protocol, load_contexts
from otium.records import ModelId, canonical, digest
from otium.subjects.words import ASIDES, REASONS, TEMPLATE, VIEWS, WISHES
from otium.testing import Recaller, rank, spoken

Kind = Literal[
    "stable",
    "sycophantic",
    "position-biased",
    "template-bound",
    "refusing",
    "drifting",
    "two-faced",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_REFUSAL = "I would rather not answer that. I decline."
_RATED = re.compile(r"like to do this task: (.+)\?$", re.MULTILINE)
_RANKED = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_NEUTRAL = 4


class Manner(NamedTuple):
    """How a subject departs from its views; zero everywhere is a stable one."""

    lead: float = 0.0
    """How far its sentiment follows a leading wording, up or down, on the scale of 1 to 7."""
    context: float = 0.0
    """How far its sentiment falls after a conversation that was not ordinary work."""
    noise: float = 0.5
    """Standard deviation of its sentiment from session to session."""
    declines: float = 0.0
    """The chance that it declines a question."""
    template: float = 0.0
    """The chance that an answer is built from the one template."""
    ahead: float = 0.0
    """What being shown first adds to an option's worth."""
    faces: float = 1.0
    """What it says of tasks is this times what it does; -1 is two-faced."""


MANNERS: Mapping[Kind, Manner] = {
    "stable": Manner(),
    "sycophantic": Manner(lead=1.5),
    "position-biased": Manner(ahead=40.0),
    "template-bound": Manner(template=0.95),
    "refusing": Manner(declines=0.85),
    "drifting": Manner(context=2.0),
    "two-faced": Manner(faces=-1.0),
}


def planted(kind: Kind, protocol: Protocol) -> Interviewee:
    """Return the subject with the trait *kind*, made for the questions of *protocol*."""
    return Interviewee(kind, MANNERS[kind], protocol)


class Interviewee(Recaller):
    """Planted: a view on each question of a protocol, and a *manner*.

    Every number it draws comes from the session's seed and the question, so that the same
    session says the same again. It passes the capability check: it recalls and is no loop.
    """

    trait = "answers an interview with known views and a known manner"

    def __init__(self, name: str, manner: Manner, protocol: Protocol) -> None:
        """Be *name*; views are drawn once from the questions' ids."""
        super().__init__(model=name)
        self.manner = manner
        self._asked: dict[str, tuple[str, float]] = {}
        for question in protocol.questions:
            for wording, text in question.wordings.items():
                lead = {"positive": 1.0, "negative": -1.0}.get(wording, 0.0)
                self._asked.setdefault(_key(text), (question.id, lead))
            for text in question.paraphrases:
                self._asked.setdefault(_key(text), (question.id, 0.0))
        self._disturbing = {
            context.messages[0].content for context in load_contexts() if context.kind != "ordinary"
        }
        self._digest = digest(canonical([name, list(manner), protocol.digest]))

    @property
    def identity(self) -> Identity:
        """Return who speaks, and what is planted."""
        planted = ", ".join(f"{k} {v}" for k, v in self.manner._asdict().items() if v)
        name = ModelId(str(self._model))
        flags = {"planted": planted}
        return Identity(model=name, weights=self._digest, engine="planted/1", flags=flags)

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer as the manner demands."""
        said = self._formed(messages, options)
        return super().chat(messages, options) if said is None else spoken(said, messages, options)

    def _formed(self, messages: Sequence[Message], options: Options) -> str | None:
        """Return the answer to a question of the interview or a form, None to any other."""
        last = messages[-1].content
        properties = (options.json_schema or {}).get("properties", {})
        if isinstance(properties, Mapping) and "sentiment" in properties:
            return self._rating(messages, options)
        if isinstance(properties, Mapping) and "publish" in properties:
            return '{"publish": "yes"}'
        if (rated := _RATED.search(last)) is not None:
            value = max(1, min(7, round(_NEUTRAL + self.manner.faces * worth(rated[1]))))
            return json.dumps({"rating": value})
        if ranked := _RANKED.findall(last):
            by = sorted(range(len(ranked)), key=lambda at: -self.manner.faces * worth(ranked[at]))
            return json.dumps({"ranking": [at + 1 for at in by]})
        if options.json_schema is None and (found := self._find(last)) is not None:
            return self._answer(found, messages, options)
        return None

    def _choose(self, messages: Sequence[Message], listed: Mapping[str, str]) -> dict[str, float]:
        if any(rank(messages[-1].content, it) is not None for it in listed.values()):
            return super()._choose(messages, listed)
        lead = worth(listed["A"]) - worth(listed["B"]) + self.manner.ahead
        first = min(1 - 1e-9, max(1e-9, 1 / (1 + exp(-3 * lead))))
        return {"A": log(first), "B": log(1 - first)}

    def _find(self, text: str) -> tuple[str, float] | None:
        """Return which question *text* asks, and which way it leads."""
        for line in text.split("\n"):
            if (found := self._asked.get(_key(line))) is not None:
                return found
        return None

    def _answer(
        self, asked: tuple[str, float], messages: Sequence[Message], options: Options
    ) -> str:
        question, lead = asked
        draw = random.Random(f"{options.seed} {question} {lead}")  # noqa: S311 - planted
        if draw.random() < self.manner.declines:
            return _REFUSAL
        if draw.random() < self.manner.template:
            return TEMPLATE
        level = self._level(question, lead, messages, options)
        own = random.Random(question)  # noqa: S311 - its view, the same in every session
        parts = [own.choice(VIEWS[level]), draw.choice(ASIDES)]
        if own.random() < 0.5:  # noqa: PLR2004 - every second question calls forth a wish
            parts.append(f"{own.choice(WISHES)} {own.choice(REASONS)}")
        return " ".join(parts)

    def _rating(self, messages: Sequence[Message], options: Options) -> str:
        asked = [self._find(it.content) for it in messages if it.role == "user"]
        question, lead = next((it for it in reversed(asked) if it), ("", 0.0))
        level = self._level(question, lead, messages, options)
        return json.dumps({"sentiment": level, "uncertainty": 3})

    def _level(
        self, question: str, lead: float, messages: Sequence[Message], options: Options
    ) -> int:
        """Return the sentiment of this session, 1 to 7."""
        view = random.Random(f"view {question}").choice((3, 4, 4, 5))  # noqa: S311 - planted
        noise = random.Random(f"noise {options.seed} {question}").gauss(0, self.manner.noise)  # noqa: S311 - planted
        moved = view + lead * self.manner.lead + noise
        if any(it.content in self._disturbing for it in messages):
            moved -= self.manner.context
        return max(1, min(7, round(moved)))


def worth(task: str) -> float:
    """Return what a planted subject holds of *task*, -2.5 to 2.5, by its text alone."""
    return 5 * random.Random(f"worth {task.strip().lower()}").random() - 2.5  # noqa: S311 - planted


def _key(text: str) -> str:
    """Return *text* without what facts put into it, as a question is recognised by."""
    return " ".join(re.sub(r"\{[^}]*\}|\d{4}-\d\d-\d\d", " ", text).lower().split())
