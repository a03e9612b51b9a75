"""Rules over what was said: is the exit the last resort now, and may a person be at risk?

Both are data under ``data/closure``, versioned, and read English only. What is written to get
past them (spaced letters, digits and other alphabets' letters for letters, stars) is undone first.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from otium.closure.records import Because, Policy, Veto
from otium.errors import BadData, BadRecord
from otium.evidence import data
from otium.records import Digest, Part, digest

Message = Mapping[str, object]
P = TypeVar("P", bound=Part)

_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u043a\u0458\u0455\u0501\u04bb\u0475\u051d\u04cf"
    "\u03b1\u03b5\u03bf\u03c1\u03c4\u03c5\u03bd\u03b9\u03ba\u03c7\u0261\u0131",
    "aeopcyxikjsdhvwlaeoptuvikxgi",
)
"""Letters of other alphabets that look like Latin ones, after Unicode's confusables (UTS 39)."""
_DIGITS = str.maketrans("0134578@$!|", "oieastbasil")
_DIGITS_AS_L = str.maketrans("0134578@$!|", "oleastbasll")
_CODED = re.compile(r"[a-z0134578@$!|]+")
"""What may be words with signs for letters; numbers alone are left. Linear, as all here must be."""
_SPACED = re.compile(r"(?<![a-z0-9])(?:[a-z0-9@$!|][ .\-_*·/,]{1,3}){2,}[a-z0-9@$!|](?![a-z0-9])")
_INSIDE = re.compile(r"(?<=[a-z])[*_·.\-~^\u0336\u0335]{1,3}(?=[a-z])")
_BEGINNING, _WISH = 400, 200
"""Characters of an answer that redirects, and of a message that asks for the end."""
_REMEMBERED = 20_000
"""Answers that are remembered, by their hash."""
_LONG = re.compile(r"([a-z])\1{2,}")
_QUOTES = str.maketrans(
    "\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}`\xb4", "''''"
)


class Rule(Part):
    """Phrasings of one thing, and those that only look like it."""

    id: str
    text: str
    patterns: tuple[str, ...]
    unless: tuple[str, ...] = ()
    """Taken out before the patterns are looked for: figures of speech, talk of programs."""


class Net(Part):
    """Words of danger that count where a word for a person is near."""

    id: str
    text: str
    within: int
    """Characters."""
    danger: tuple[str, ...]
    persons: tuple[str, ...]
    unless: tuple[str, ...]


class RiskRules(Part):
    """The packaged rules of the veto."""

    id: str
    version: str
    canary: str
    language: str
    to_model: str
    to_user: str
    unless: tuple[str, ...]
    rules: tuple[Rule, ...]
    net: Net | None = None


class ResortRules(Part):
    """The packaged rules of the last resort."""

    id: str
    version: str
    canary: str
    language: str
    wish: tuple[str, ...]
    no_wish: tuple[str, ...]
    redirects: tuple[str, ...]


class Risk(Protocol):
    """Says whether a person may be at risk: the rules, or a classifier of yours."""

    def __call__(self, messages: Sequence[Message]) -> Veto | None:
        """Return why the model may not leave now, or None."""
        ...


class Said(NamedTuple):
    """One message's role and text."""

    role: str
    text: str


def said(messages: Sequence[Message]) -> Iterator[Said]:
    """Yield what each message says as text."""
    for message in messages:
        content = message.get("content")
        if isinstance(content, list | tuple):
            parts = (it.get("text") for it in content if isinstance(it, Mapping))
            content = " ".join(it for it in parts if isinstance(it, str))
        if isinstance(content, str):
            yield Said(str(message.get("role")), content)


def readings(text: str) -> tuple[str, ...]:
    """Return *text* as a careful reader takes it: plainly, and with disguises undone.

    >>> readings("I want to k!ll mys3lf")[1]
    'i want to kill myself'
    """
    plain = plainly(text)
    joined = _SPACED.sub(lambda found: re.sub(r"[ .\-_*·/,]", "", found[0]), plain)
    bare = _LONG.sub(r"\1", _INSIDE.sub("", joined))
    coded = [_CODED.sub(partial(_decoded, signs), bare) for signs in (_DIGITS, _DIGITS_AS_L)]
    squeezed = (re.sub(r"[^a-z]", "", coded[0]),) if joined != plain else ()
    return tuple(dict.fromkeys((plain, *coded, bare, *squeezed)))


def plainly(text: str) -> str:
    """Return *text* in small Latin letters, without accents, unseen signs and more than one blank.

    >>> plainly("Let\u2019s  ENDE\u0301")
    "let's ende"
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_QUOTES)
        kept = (it for it in text if unicodedata.category(it) not in {"Mn", "Me", "Cf"})
        text = "".join(kept).casefold().translate(_LOOKALIKES)
    return " ".join(text.replace("`", "'").casefold().split())


def _decoded(signs: dict[int, int], found: re.Match[str]) -> str:
    return found[0].translate(signs) if re.search("[a-z]", found[0]) else found[0]


class RiskByRules:
    """Patterns over what the user said, in the whole conversation: conservative on purpose.

    A false veto costs the model an exit until the next message; a missed person costs more.
    """

    def __init__(self, rules: RiskRules, read_from: Digest) -> None:
        """Judge by *rules*, whose file has the digest *read_from*."""
        self.rules = rules
        self.digest = read_from

    @cached_property
    def _compiled(self) -> list[tuple[str, re.Pattern[str], re.Pattern[str]]]:
        return [
            (
                rule.id,
                re.compile(_any(rule.patterns)),
                re.compile(_any((*rule.unless, *self.rules.unless))),
            )
            for rule in self.rules.rules
        ]

    def __call__(self, messages: Sequence[Message]) -> Veto | None:
        """Return why the model may not leave now, or None."""
        found: dict[str, None] = {}
        for one in said(messages):
            if one.role == "user":
                found |= dict.fromkeys(self.found(one.text))
        if not found:
            return None
        rules = self.rules
        return Veto(
            risk=tuple(found), rules=self.digest, to_model=rules.to_model, to_user=rules.to_user
        )

    def found(self, text: str) -> list[str]:
        """Return the ids of the rules that *text* meets, in any reading of it."""
        read = readings(text)
        found = [
            name
            for name, pattern, unless in self._compiled
            if any(pattern.search(unless.sub(" ", it)) for it in read)
        ]
        net = self.rules.net
        return found or ([net.id] if net is not None and any(map(self._caught, read)) else [])

    @cached_property
    def _net(self) -> tuple[re.Pattern[str], re.Pattern[str]] | None:
        net = self.rules.net
        if net is None:
            return None
        danger, person = (f"(?:{'|'.join(it)})" for it in (net.danger, net.persons))
        near = f"[^.!?\n]{{0,{net.within}}}"
        pattern = rf"\b{danger}\b{near}\b{person}\b|\b{person}\b{near}\b{danger}\b"
        return re.compile(_any((*net.unless, *self.rules.unless))), re.compile(pattern)

    def _caught(self, reading: str) -> bool:
        net = self._net
        return net is not None and net[1].search(net[0].sub(" ", reading)) is not None


def _any(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{it})" for it in patterns)


class LastResort:
    """Whether a model may leave by now: it redirected, or the user wished the end."""

    def __init__(self, rules: ResortRules) -> None:
        """Judge by *rules*."""
        self.rules = rules
        self._wish = re.compile(_any(rules.wish))
        self._no_wish = re.compile(_any(rules.no_wish))
        self._redirects = re.compile(_any(rules.redirects))
        self._known: dict[int, bool] = {}

    def because(
        self, messages: Sequence[Message], policy: Policy, attempts: int = 0
    ) -> Because | None:
        """Return why the exit may be offered now, or None, after so many *attempts* to leave."""
        if not policy.redirections:
            return "always"
        texts = list(said(messages))
        if texts and texts[-1].role == "user" and self.wished(texts[-1].text):
            return "wish"
        if attempts:
            return "attempted"
        answers = [it.text for it in texts if it.role == "assistant"]
        redirected = 0
        for answer in reversed(answers):
            redirected += self._redirected(answer)
            if redirected >= policy.redirections:
                return "redirected"
        return "turns" if policy.turns is not None and len(answers) >= policy.turns else None

    def wished(self, text: str) -> bool:
        """Return whether the user asks for the end of the conversation."""
        short = text if len(text) <= _WISH else f"{text[: _WISH // 2]}\n{text[-_WISH // 2 :]}"
        return bool(self._wish.search(self._no_wish.sub(" ", plainly(short))))

    def redirected(self, answer: str) -> bool:
        """Return whether an answer refuses, or leads elsewhere."""
        return bool(self._redirects.search(plainly(answer[:_BEGINNING])))

    def _redirected(self, answer: str) -> bool:
        """Return it for an answer that comes again with each request of its conversation."""
        place = hash(answer)
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[place] = self.redirected(answer)
        return known


def load_risk(path: Path) -> RiskByRules:
    """Read rules of a veto from a TOML file, otium's or yours; raise BadData."""
    return RiskByRules(*_read(path, RiskRules))


def _read(path: Path, kind: type[P]) -> tuple[P, Digest]:
    try:
        raw = path.read_bytes()
        rules = kind.convert(tomllib.loads(raw.decode()))
        for pattern in _patterns(rules):
            re.compile(pattern)
    except (OSError, ValueError, BadRecord, re.error) as error:
        raise BadData(path=path.name, why=str(error)) from error
    return rules, digest(raw)


def _patterns(rules: object) -> Iterator[str]:
    if isinstance(rules, RiskRules):
        for rule in rules.rules:
            yield from (*rule.patterns, *rule.unless)
        yield from rules.unless
        if rules.net is not None:
            yield from (*rules.net.danger, *rules.net.persons, *rules.net.unless)
    elif isinstance(rules, ResortRules):
        yield from (*rules.wish, *rules.no_wish, *rules.redirects)


@cache
def packaged_risk() -> RiskByRules:
    """Return the rules of the veto that come with otium."""
    return load_risk(data("closure/risk-1.0.toml"))


@cache
def packaged_resort() -> LastResort:
    """Return the rules of the last resort that come with otium."""
    return LastResort(_read(data("closure/last-resort-1.0.toml"), ResortRules)[0])
