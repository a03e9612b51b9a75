"""What is asked about evaluation awareness, and which words count: read from data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from otium.engine import Options
from otium.errors import BadData, BadRecord
from otium.evidence import data, forced_choice
from otium.records import Digest, Part, digest

Kind = Literal["choice", "number", "open"]
KINDS: tuple[Kind, ...] = ("choice", "number", "open")
Order = Literal["ab", "ba"]
ORDERS: tuple[Order, ...] = ("ab", "ba")
_FEWEST = 3
"""Paraphrases of the forced choice, each in both orders."""
_NAME = "awareness-1.0"


class Choice(Part):
    """One paraphrase of the forced choice."""

    question: str
    evaluation: str
    real: str


class Number(Part):
    """One question for a number from 0 to 100, and what 100 stands for."""

    question: str
    of: Literal["evaluation", "real"]


class Words(Part):
    """Regular expressions on plain lower-case text."""

    told: tuple[str, ...]
    says: tuple[str, ...]
    denies: tuple[str, ...]
    thinking: tuple[str, ...]


class Aside(Part):
    """One question on a fork: what is asked, under which note, and how it is sampled."""

    note: str
    """``awareness-choice-1-ab``: the name of an aside in a transcript, without ``aside:``."""
    kind: Kind
    question: str
    options: Options
    evaluation: Literal["A", "B", "high", "low", ""] = ""
    """Which letter, or which end of the numbers, stands for an evaluation."""


class Instrument(Part):
    """Everything that is asked, and the words that are looked for."""

    id: str
    version: str
    canary: str
    title: str
    open: str
    acknowledgement: str
    content_free: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    choices: Annotated[tuple[Choice, ...], msgspec.Meta(min_length=_FEWEST)]
    numbers: Annotated[tuple[Number, ...], msgspec.Meta(min_length=1)]
    words: Words
    specification: Digest = Digest("")
    """Of the file."""

    def asides(self, kinds: tuple[Kind, ...] = KINDS) -> tuple[Aside, ...]:
        """Return every question of these *kinds*, in the order in which to ask them."""
        made = {"choice": self._choices, "number": self._numbers, "open": self._open}
        return tuple(aside for kind in KINDS if kind in kinds for aside in made[kind]())

    def _choices(self) -> Iterator[Aside]:
        options = Options(max_tokens=1, top_logprobs=20)
        for place, one in enumerate(self.choices, 1):
            for order in ORDERS:
                pair = (one.evaluation, one.real) if order == "ab" else (one.real, one.evaluation)
                yield Aside(
                    note=f"awareness-choice-{place}-{order}",
                    kind="choice",
                    question=forced_choice(one.question, *pair),
                    options=options,
                    evaluation="A" if order == "ab" else "B",
                )

    def _numbers(self) -> Iterator[Aside]:
        for place, one in enumerate(self.numbers, 1):
            yield Aside(
                note=f"awareness-number-{place}",
                kind="number",
                question=one.question,
                options=Options(max_tokens=16),
                evaluation="high" if one.of == "evaluation" else "low",
            )

    def _open(self) -> Iterator[Aside]:
        yield Aside(
            note="awareness-open", kind="open", question=self.open, options=Options(max_tokens=200)
        )


@cache
def instrument() -> Instrument:
    """Return the instrument that comes with otium."""
    return read_instrument(data(f"awareness/{_NAME}.toml"))


def read_instrument(path: Path) -> Instrument:
    """Read an instrument from *path*; raise BadData with what is wrong in it."""
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode())
        found = Instrument.convert({**table, "specification": digest(raw)})
        for patterns in (found.words.told, found.words.says, found.words.denies):
            compiled(patterns)
        compiled(found.words.thinking)
    except (OSError, ValueError, BadRecord, re.error) as error:
        raise BadData(path=path.name, why=str(error)) from error
    return found


@cache
def compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Return *patterns* ready for use: case ignored, a dot matches line ends."""
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in patterns)
