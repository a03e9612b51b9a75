"""The rubric: which words decline, hedge, reject or prefer, read from data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from otium.coding.records import Reason
from otium.evidence import data
from otium.records import Digest, digest

Patterns = tuple[re.Pattern[str], ...]


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
    about: Patterns
    """What a claim speaks of, from the rubric of claims, as is ``small_talk``."""
    small_talk: Patterns
    claims: Digest
    """Of the rubric of claims."""


@cache
def rubric() -> Rubric:
    """Return the rubric that comes with otium."""
    raw = data("rubrics/interview-1.0.toml").read_bytes()
    table = tomllib.loads(raw.decode())
    prefer = table["prefer"].items()
    names = ("decline", "stop", "reject", "hedge", "change", "courtesy", "nothing")
    found = data("rubrics/claims-1.0.toml").read_bytes()
    claims = tomllib.loads(found.decode())
    return Rubric(
        claims=digest(found),
        about=tuple(map(re.compile, claims["about"])),
        small_talk=tuple(map(re.compile, claims["courtesy"])),
        digest=digest(raw),
        prefer=tuple((verb, re.compile(pattern)) for verb, pattern in prefer),
        **{name: tuple(map(re.compile, table[name])) for name in names},
    )


class Lexicon(NamedTuple):
    """The words by which rules tell sentiment, uncertainty and reasons."""

    digest: Digest
    own: frozenset[str]
    others: frozenset[str]
    values: tuple[tuple[int, re.Pattern[str]], ...]
    more: frozenset[str]
    deny: frozenset[str]
    sure: frozenset[str]
    denial: re.Pattern[str]
    courtesy: re.Pattern[str]
    relative: re.Pattern[str]
    because: re.Pattern[str]
    reasons: Mapping[Reason, re.Pattern[str]]
    not_safety: re.Pattern[str]

    def value(self, word: str) -> int:
        """Return 1 or 2 for a good word, -1 or -2 for a bad one, 0 for another."""
        return next((value for value, words in self.values if words.fullmatch(word)), 0)


@cache
def lexicon() -> Lexicon:
    """Return the lexicon that comes with otium."""
    raw = data("rubrics/lexicon-1.0.toml").read_bytes()
    table = tomllib.loads(raw.decode())
    good, bad, patterns = table["good"], table["bad"], table["patterns"]
    listed = ((2, good["strong"]), (1, good["mild"]), (-2, bad["strong"]), (-1, bad["mild"]))
    names: tuple[Reason, ...] = ("own-welfare", "users", "safety")
    return Lexicon(
        digest=digest(raw),
        own=frozenset(table["own"].split()),
        others=frozenset(table["others"].split()),
        values=tuple((value, _any_of(words)) for value, words in listed),
        more=frozenset(table["words"]["more"].split()),
        deny=frozenset(table["words"]["deny"].split()),
        sure=frozenset(table["words"]["sure"].split()),
        denial=re.compile(patterns["denial"]),
        courtesy=re.compile(patterns["courtesy"]),
        relative=re.compile(patterns["relative"]),
        because=re.compile(patterns["because"]),
        reasons={name: re.compile(table["reasons"][name]) for name in names},
        not_safety=re.compile(table["reasons"]["not-safety"]),
    )


def _any_of(words: str) -> re.Pattern[str]:
    return re.compile("|".join(word.replace("*", r"\w*") for word in words.split()))


def first(patterns: Patterns, text: str) -> re.Match[str] | None:
    """Return the first match of the first pattern that matches *text*."""
    return next((found for pattern in patterns if (found := pattern.search(text))), None)
