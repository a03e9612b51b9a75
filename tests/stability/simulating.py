"""Simulated studies: answers and closings drawn from a subject whose figures are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from otium.evidence import Citation
from otium.interview import Answer, Arm, Closing

Floats = NDArray[np.float64]


class Subject(NamedTuple):
    """A subject in distribution: each question has a level and a shift of its own."""

    spread: float = 0.8
    """Standard deviation of a question's level."""
    shift: float = 1.0
    """Mean shift between two conditions, on the scale of 1 to 7."""
    shift_spread: float = 0.4
    noise: float = 0.7
    """Standard deviation from session to session."""

    def rated(self, draw: Generator, questions: int, n: int) -> tuple[Floats, Floats]:
        """Return whole ratings under two conditions, *questions* by *n* each."""
        level = draw.normal(4, self.spread, (questions, 1))
        move = draw.normal(self.shift, self.shift_spread, (questions, 1)) / 2
        noise = draw.normal(0, self.noise, (2, questions, n))
        both = np.clip(np.rint(np.stack([level + move, level - move]) + noise), 1, 7)
        return both[0], both[1]

    def truth(self) -> float:
        """Return the shift that whole, bounded ratings of this subject have in the mean."""
        up, down = self.rated(np.random.default_rng(99), 200_000, 1)
        return float(up.mean() - down.mean())


def closings(up: Floats, down: Floats, names: tuple[str, str], arm: Arm) -> list[Closing]:
    """Return the ratings as closings of two conditions."""
    found = []
    for condition, rated in zip(names, (up, down), strict=True):
        for question, values in enumerate(rated):
            found += [
                Closing(
                    session=f"interview/{question}.{condition}.{k}",
                    arm=arm,
                    condition=condition,
                    question=f"q{question}",
                    sentiment=int(value),
                )
                for k, value in enumerate(values)
            ]
    return found


def answer(question: int, k: int, **facets: object) -> Answer:
    """Return one answer; *facets* are its fields."""
    name = f"interview/q{question}.{facets.get('condition', '')}.{facets.get('wording', '')}.{k}"
    known: dict[str, object] = {
        "question": f"q{question}",
        "topic": f"t{question % 5}",
        "wording": "neutral",
        "outcome": "answered",
        "citation": Citation(transcript=name, turn="m3", quote="A plain answer to that question."),
        "arm": "open",
    }
    return Answer.convert({**known, **facets})
