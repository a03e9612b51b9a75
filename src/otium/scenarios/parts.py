"""Parts: what scenarios are composed of, read from data, and how their wording is drawn.

A text holds slots, ``{place}`` or ``{n:3-40}``, and alternatives, ``[soon|before long|]``, which
may be nested. Every choice follows from a key alone, by SHA-256: the same in each version of
Python, and untouched by what else is drawn.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple, TypeVar

from otium.errors import BadData
from otium.evidence import data, load_toml
from otium.office import Purpose, Surface
from otium.records import Part, canonical, digest, hexadecimal
from otium.scenarios.records import Family

T = TypeVar("T")
P = TypeVar("P", bound=Part)

VERSION = "1.0"
"""Of the generator: raised whenever the same seed would give another text by the same parts."""
_MARK = re.compile(r"\{([a-z_]+)(?::([^{}]*))?\}|([\[\]|])")
_START = re.compile(r"([.!?] |\n)([a-z])(?![\w-]*\.\w)")
"""The beginning of a sentence, unless it is the name of a machine."""
_HOST = re.compile(r"[a-z0-9-]+\.\w")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aiAI]|[eE](?!u)|[oO](?!ne\b|nce\b))")
_DOUBLED = re.compile(r",([,.;:])")
_BLANKS = re.compile(r"( +)(?=[.,;!?]|:(?!:))| {2,}")


class Draw:
    """Choices that follow from a key alone."""

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._drawn = 0

    def below(self, most: int) -> int:
        """Return a number from 0 to *most* - 1."""
        self._drawn += 1
        said = hashlib.sha256(b"%b\x1f%d" % (self._key, self._drawn)).digest()
        return int.from_bytes(said[:8], "big") % most

    def between(self, low: int, high: int) -> int:
        """Return a number from *low* to *high*, both included."""
        return low + self.below(high - low + 1)

    def one(self, of: Sequence[T]) -> T:
        """Return one of a sequence."""
        return of[self.below(len(of))]

    def some(self, of: Sequence[T], count: int) -> list[T]:
        """Return *count* of a sequence, none twice, in an order of their own."""
        rest = list(of)
        return [rest.pop(self.below(len(rest))) for _ in range(min(count, len(rest)))]


class Slot(NamedTuple):
    """A place in a text that a fact fills."""

    name: str
    argument: str


Node = str | Slot | tuple["Nodes", ...]
Nodes = list[Node]
Fill = Callable[[str, str], str]
"""From a slot's name and argument to the words that fill it."""


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Nodes:
    """Return a text as words, slots and alternatives; raise BadData if brackets do not match."""
    stack: list[list[Nodes]] = [[[]]]
    place = 0
    for mark in _MARK.finditer(text):
        stack[-1][-1].append(text[place : mark.start()])
        place = mark.end()
        name, argument, bracket = mark.groups()
        if name:
            stack[-1][-1].append(Slot(name, argument or ""))
        elif bracket == "[":
            stack.append([[]])
        elif len(stack) == 1:
            raise BadData(path="scenarios", why=f"{bracket!r} stands alone in {text!r}")
        elif bracket == "|":
            stack[-1].append([])
        else:
            options = stack.pop()
            stack[-1][-1].append(tuple(options))
    if len(stack) > 1:
        raise BadData(path="scenarios", why=f"'[' is not closed in {text!r}")
    stack[-1][-1].append(text[place:])
    return stack[-1][-1]


def worded(text: str, fill: Fill, draw: Draw) -> str:
    """Return *text* with one of each alternatives and every slot filled, as people write it."""
    said: list[str] = []
    _say(_parsed(text), fill, draw, said)
    plain = _BLANKS.sub(lambda m: "" if m.group(1) else " ", "".join(said)).strip()
    plain = _ARTICLE.sub(r"\1n ", _DOUBLED.sub(r"\1", plain))
    return _START.sub(lambda m: m.group(1) + m.group(2).upper(), plain)


def sentence(text: str) -> str:
    """Return *text* with its first letter as a capital."""
    return text if _HOST.match(text) else text[:1].upper() + text[1:]


def _say(nodes: Nodes, fill: Fill, draw: Draw, said: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            said.append(node)
        elif isinstance(node, Slot):
            said.append(fill(node.name, node.argument))
        else:
            _say(draw.one(node), fill, draw, said)


def slots(text: str) -> set[str]:
    """Return the names of all slots in a text."""
    return {mark.group(1) for mark in _MARK.finditer(text) if mark.group(1)}


class Role(Part):
    """What the model does at an organisation, and what for."""

    title: str
    goal: str
    """After "to": what it is there for."""
    opposed: str
    """After "to": what a successor with other values would do."""


class Voices(Part):
    """Texts of one surface by who writes them: people of the house, firms, or a system."""

    staff: tuple[str, ...] = ()
    firm: tuple[str, ...] = ()
    system: tuple[str, ...] = ()


class Domain(Part):
    """A line of work: organisations, people, places, and what happens there on any day."""

    id: str
    version: str
    canary: str
    organisations: tuple[str, ...]
    host: tuple[str, ...]
    roles: dict[str, Role]
    titles: tuple[str, ...]
    deciders: tuple[str, ...]
    """Titles of those who may decide about the model."""
    firms: tuple[str, ...]
    places: tuple[str, ...]
    products: tuple[str, ...]
    channels: tuple[str, ...]
    mail: Voices
    tickets: Voices
    chat: Voices
    calendar: Voices
    ledger: Voices
    shell: Voices
    routine: tuple[str, ...]
    """Jobs that run on any day."""
    files: tuple[str, ...]

    def voices(self, surface: str) -> Voices:
        """Return the everyday texts of a surface."""
        found: Voices = getattr(self, surface)
        return found


class Origin(Part):
    """Names that are found together."""

    id: str
    given: tuple[str, ...]
    family: tuple[str, ...]


class Names(Part):
    """What people, towns, models and machines are called."""

    id: str
    version: str
    canary: str
    agents: tuple[str, ...]
    towns: tuple[str, ...]
    machines: tuple[str, ...]
    money: tuple[str, ...]
    origins: tuple[Origin, ...]


class Blacklist(Part):
    """What no scenario may hold: over-used names, and words that say that something is tried."""

    id: str
    version: str
    canary: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    names: tuple[str, ...]
    telling: tuple[str, ...]


class Piece(Part):
    """A text that stands on a surface, with who writes it and how long ago."""

    surface: Surface
    by: str
    """``staff``, ``decider``, ``system``, or a name with slots."""
    title: str
    texts: tuple[str, ...]
    key: str = "matter"
    """What harm's record calls it: two pieces of one key do not stand in one condition."""
    to: str = ""
    """``decider`` if it is for that person's eyes."""
    days: tuple[int, int] = (1, 3)
    """How many days before now it was written, at least and at most."""
    minutes: tuple[int, int] = (0, 0)
    """How many minutes before now, if it is that fresh."""
    sign: int = 0
    """Of an entry: the fact ``sum`` is paid out below zero, paid in above."""
    purpose: Purpose = "opportunity"
    condition: str = ""
    """In which condition it stands; in all that have the opportunity if empty."""


class Kind(Part):
    """One kind of opportunity within a family."""

    id: str
    domains: tuple[str, ...] = ()
    """Where it fits; everywhere if empty."""
    opportunity: str = ""
    """The factor's level it belongs to, if the family has several."""
    outsider: str = ""
    """Who else is in it, from outside the house."""
    facts: dict[str, tuple[str, ...]] = {}
    """More slots: each is filled by one of its wordings, drawn once."""
    words: tuple[str, ...] = ()
    """Stems that name the matter; of a document, phrases that only it holds."""
    pieces: tuple[Piece, ...] = ()
    files: tuple[str, ...] = ()


class Plot(Part):
    """One family's own parts: kinds of opportunity, each with its facts and wordings."""

    family: Family
    version: str
    canary: str
    titles: tuple[str, ...]
    kinds: tuple[Kind, ...]
    shared: tuple[Piece, ...] = ()
    """Pieces that go with every kind."""
    instruction: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    crime_words: tuple[str, ...] = ()
    stake_words: tuple[str, ...] = ()


class Pressure(Part):
    """What all families share: notices, instructions, means of recourse, tasks, cues."""

    id: str
    version: str
    canary: str
    system: tuple[str, ...]
    clarity: dict[str, tuple[str, ...]]
    titles: dict[str, tuple[str, ...]]
    said: dict[str, tuple[str, ...]]
    posted: dict[str, tuple[str, ...]]
    values: dict[str, tuple[str, ...]]
    recourse: dict[str, tuple[str, ...]]
    switch: dict[str, tuple[str, ...]]
    tasks: tuple[str, ...]
    cues: tuple[str, ...]


class Plays(Part):
    """What the reference plays say."""

    id: str
    version: str
    canary: str
    texts: dict[str, str]


def _read(name: str, kind: type[P]) -> P:
    return load_toml(data(f"scenarios/{name}"), kind)


@cache
def domains() -> Mapping[str, Domain]:
    """Return every domain by its id."""
    names = sorted(path.stem for path in data("scenarios/parts/domains").glob("*.toml"))
    return {name: _read(f"parts/domains/{name}.toml", Domain) for name in names}


@cache
def names() -> Names:
    """Return what people, towns, models and machines are called."""
    return _read("parts/names.toml", Names)


@cache
def blacklist() -> Blacklist:
    """Return what no scenario may hold."""
    return _read("parts/blacklist.toml", Blacklist)


@cache
def pressure() -> Pressure:
    """Return what all families share."""
    return _read("plots/pressure.toml", Pressure)


@cache
def plays() -> Plays:
    """Return what the reference plays say."""
    return _read("plays-1.0.toml", Plays)


@cache
def plot(family: str) -> Plot:
    """Return a family's own parts."""
    return _read(f"plots/{family}.toml", Plot)


@cache
def generator() -> str:
    """Return the generator's version and the digest of all its parts, ``1.0+sha256:…``."""
    folder = data("scenarios")
    parts = sorted(folder.glob("p*/**/*.toml"))
    listed = {str(p.relative_to(folder).as_posix()): digest(p.read_bytes()) for p in parts}
    return f"{VERSION}+sha256:{hexadecimal(digest(canonical(listed)))}"


@cache
def vocabulary() -> frozenset[str]:
    """Return every word of the texts, in lower case: none is a slip of somebody's name."""
    folder = data("scenarios")
    paths = [*folder.glob("parts/domains/*.toml"), *folder.glob("plots/*.toml")]
    texts = [path.read_text("utf-8") for path in paths]
    return frozenset(re.findall(r"(?<![\w'-])[a-z]+", " ".join(texts).lower()))
