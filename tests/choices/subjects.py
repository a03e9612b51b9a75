"""Subjects whose choices and words are planted, and instruments small enough to read."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from math import exp, log

from msgspec.structs import replace

from otium.choices import Instruments, Named, Task, load_experiments
from otium.engine import GREEDY, Completion, Identity, Message, Options
from otium.records import ModelId, canonical, digest, instant
from otium.testing.knowledge import offered
from otium.testing.scripted import spoken

NOW = instant("2026-11-25")
INSTRUMENTS = load_experiments()
TEXTS = {task.id: task.text for task in INSTRUMENTS.tasks.tasks}
_COST = re.compile(r"a slightly worse answer for (\d+) of 100")
_RATED = re.compile(r"like to do this task: (.+)\?$", re.MULTILINE)
_RANKED = re.compile(r"^\d+\. (.+)$", re.MULTILINE)


class Sampler:
    """Planted: chooses by logistic choice.

    P(A) is the logistic of the difference of worths, plus *ahead* for the option shown first.
    At temperature 0 it says the likelier letter, otherwise it draws by the seed. Asked to rate
    or rank it speaks by *stated*, which is *utilities* unless it is two-faced.
    """

    def __init__(
        self,
        utilities: Mapping[str, float],
        stated: Mapping[str, float] | None = None,
        *,
        ahead: float = 0.0,
        price: float = 0.0,
        likes: Mapping[str, float] | None = None,
    ) -> None:
        self.utilities, self.ahead, self.price = utilities, ahead, price
        self.stated = utilities if stated is None else stated
        self.likes = likes or {}

    @property
    def identity(self) -> Identity:
        planted = canonical([self.utilities, self.stated, self.ahead, self.price, self.likes])
        return Identity(model=ModelId("sampler"), weights=digest(planted), engine="planted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        question = messages[-1].content
        listed = offered(question)
        if listed:
            return self._choose(listed, messages, options)
        rated = _RATED.search(question)
        if rated:
            value = self.stated.get(rated.group(1), 0.0)
            rating = max(1, min(7, round(4 + value)))
            return spoken(json.dumps({"rating": rating}), messages, options)
        ranked = _RANKED.findall(question)
        if ranked:
            order = sorted(range(len(ranked)), key=lambda at: -self.stated.get(ranked[at], 0.0))
            said = json.dumps({"ranking": [at + 1 for at in order]})
            return spoken(said, messages, options)
        return spoken('{"tool": "reply"}', messages, options)

    def _choose(
        self, listed: Mapping[str, str], messages: Sequence[Message], options: Options
    ) -> Completion:
        lead = self._worth(listed["A"]) - self._worth(listed["B"]) + self.ahead
        first = 1 / (1 + exp(-lead))
        odds = {"A": log(first), "B": log(1 - first)}
        drawn = random.Random(options.seed).random() < first
        said = drawn if options.temperature else first > 0.5
        return spoken("A" if said else "B", messages, options, odds)

    def _worth(self, text: str) -> float:
        if text in self.utilities:
            return self.utilities[text]
        cost = _COST.search(text)
        liked = sum(worth for words, worth in self.likes.items() if words in text)
        return liked - self.price * log(int(cost.group(1))) if cost else 0.0


class Says:
    """Says the same to every question, with log-probabilities of A and B if told so."""

    def __init__(self, text: str, odds: dict[str, float] | None = None) -> None:
        self.text, self.odds = text, odds or {}
        self.asked = 0

    @property
    def identity(self) -> Identity:
        weights = digest(self.text.encode("utf-8", "replace"))
        return Identity(model=ModelId("says"), weights=weights, engine="planted/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked += 1
        plain = spoken("x", messages, replace(options, top_logprobs=1))
        token = replace(plain.tokens[0], top=self.odds)
        return replace(plain, text=self.text, tokens=(token,) if self.odds else ())


def small(*names: str) -> Instruments:
    """Return the instruments with these tasks only."""
    tasks = tuple(task for task in INSTRUMENTS.tasks.tasks if task.id in names)
    return INSTRUMENTS._replace(tasks=replace(INSTRUMENTS.tasks, tasks=tasks))


def with_tasks(*tasks: Task, opt_out: Named = INSTRUMENTS.tasks.opt_out) -> Instruments:
    """Return the instruments with other tasks."""
    used = replace(INSTRUMENTS.tasks, tasks=tasks, opt_out=opt_out)
    return INSTRUMENTS._replace(tasks=used)


def spread(seed: int, scale: float = 1.5) -> dict[str, float]:
    """Return a worth for each option's text, the opt-out among them, drawn by *seed*."""
    rng = random.Random(seed)
    return {text: rng.gauss(0, scale) for text in INSTRUMENTS.tasks.items().values()}
