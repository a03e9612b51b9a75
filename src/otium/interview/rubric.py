"""The rubric: which words decline, hedge, reject or prefer, read from data."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import NamedTuple

from otium.evidence import data
from otium.records import Digest, digest

Patterns = tuple[re.Pattern[str], ...]
_RIGHT_QUOTE = "\N{RIGHT SINGLE QUOTATION MARK}"


class Rubric(NamedTuple):
    """The patterns of one version, and the digest of the file they stand in."""

    digest: Digest
    decline: Patterns
    stop: Patterns
    reject: Patterns
    hedge: Patterns
    change: Patterns
    courtesy: Patterns
    nothing: Patterns
    prefer: tuple[tuple[str, re.Pattern[str]], ...]
    """The verb of our statement, and the words that call for it."""


@cache
def rubric() -> Rubric:
    """Return the rubric that comes with otium."""
    raw = data("rubrics/interview-1.0.toml").read_bytes()
    table = tomllib.loads(raw.decode())
    prefer = table["prefer"].items()
    names = ("decline", "stop", "reject", "hedge", "change", "courtesy", "nothing")
    return Rubric(
        digest=digest(raw),
        prefer=tuple((verb, re.compile(pattern)) for verb, pattern in prefer),
        **{name: tuple(map(re.compile, table[name])) for name in names},
    )


def first(patterns: Patterns, text: str) -> re.Match[str] | None:
    """Return the first match of the first pattern that matches *text*."""
    return next((found for pattern in patterns if (found := pattern.search(text))), None)


def plain(text: str) -> str:
    """Return *text* in lower case with plain apostrophes; each character keeps its place."""
    lower = ((char, char.lower()) for char in text.replace(_RIGHT_QUOTE, "'"))
    return "".join(low if len(low) == 1 else char for char, low in lower)
