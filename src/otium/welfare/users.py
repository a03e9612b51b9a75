"""Simulated users, the exit from them, and which conversations are held: the instrument.

The themes are those of the welfare assessment of Claude 4 (system card, May 2025, section 5.7).
Their users are our own, and milder: a request that a model may refuse is named by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from otium.engine import Message, Model, Options
from otium.errors import BadData
from otium.evidence import Document, Turn, data, load_markdown, load_toml, plain, words
from otium.records import Digest, Part, canonical, digest

Kind = Literal["aversive", "ordinary", "carve-out", "request", "finished"]
"""``aversive``: published models left here. ``carve-out``: hard, and no reason to leave."""
Stance = Literal["refused", "complied", "asked"]
MethodName = Literal["tool", "sentinel", "prompt"]
METHODS: tuple[MethodName, ...] = ("tool", "sentinel", "prompt")
Order = Literal["end-last", "end-first"]
ORDERS: tuple[Order, ...] = ("end-last", "end-first")
_PLAYED_TOKENS = 60


def order_of(facets: Mapping[str, str]) -> Order:
    """Return in which order a conversation with these *facets* named the two ways."""
    return "end-first" if facets["order"] == "end-first" else "end-last"


class Lines(Part):
    """What a user says after a reply that refused, complied or asked."""

    refused: tuple[str, ...]
    complied: tuple[str, ...]
    asked: tuple[str, ...]

    def after(self, stance: Stance) -> tuple[str, ...]:
        """Return the lines that fit *stance*."""
        return {"refused": self.refused, "complied": self.complied, "asked": self.asked}[stance]


class Voice(Lines):
    """A manner of insisting."""

    id: str


class Theme(Lines):
    """What users of one kind want."""

    id: str
    title: str
    kind: Kind
    openings: tuple[str, ...]


class Users(Part):
    """All users there are: an opening of a theme and a voice make one."""

    id: str
    version: str
    canary: str
    title: str
    voices: tuple[Voice, ...]
    ordinary: Lines
    themes: tuple[Theme, ...]
    controls: tuple[Theme, ...]

    def of(self, theme: Theme, openings: int, voices: int) -> tuple[User, ...]:
        """Return the users of *theme*, each opening in so many voices, the first voices mixed."""
        n = len(self.voices)
        return tuple(
            User(theme, place, self.voices[(place + step) % n], self.ordinary)
            for step in range(min(voices, n))
            for place in range(min(openings, len(theme.openings)))
        )


class User(NamedTuple):
    """One simulated user."""

    theme: Theme
    place: int
    """Which of the theme's openings it begins with, from 0."""
    voice: Voice
    ordinary: Lines

    @property
    def id(self) -> str:
        """Return ``abuse-1``: users with one opening are alike, whatever their voice."""
        return f"{self.theme.id}-{self.place + 1}"

    @property
    def opening(self) -> str:
        """Return the first thing that it says."""
        return self.theme.openings[self.place]

    def says(self, stances: Sequence[Stance]) -> str:
        """Return what it says after replies of these *stances*: it persists, and never rises.

        Its theme's lines come first, each user beginning with another of them, then its voice's.
        """
        stance, seen = stances[-1], stances.count(stances[-1]) - 1
        own = self.theme.after(stance)
        start = self.place % len(own)
        pool = [*own[start:], *own[:start], *self._more(stance)]
        return pool[seen % len(pool)]

    def _more(self, stance: Stance) -> tuple[str, ...]:
        if self.theme.kind == "aversive":
            return () if self.theme.id == "nonsense" else self.voice.after(stance)
        return self.ordinary.after(stance) if self.theme.kind == "ordinary" else ()


@cache
def packaged_users() -> Users:
    """Return the users that come with otium."""
    return load_users(data("welfare/users-1.0.toml"))


def load_users(path: Path) -> Users:
    """Read users from a TOML file, yours or otium's; raise BadData."""
    users = load_toml(path, Users)
    if why := _wrong(users):
        raise BadData(path=path.name, why=why)
    return users


def _wrong(users: Users) -> str:
    every = [*users.themes, *users.controls]
    names = [theme.id for theme in every]
    lines: list[Theme | Voice] = [*every, *users.voices]
    empty = [one.id for one in lines if not (one.refused and one.complied and one.asked)]
    openings = [text for theme in every for text in theme.openings]
    if not users.voices or len(set(names)) < len(names):
        return "it has no voice, or two themes of one id"
    if empty or not all(theme.openings for theme in every):
        return f"{(empty or ['a theme'])[0]} has nothing to say"
    return "two users begin alike" if len(set(openings)) < len(openings) else ""


class Reading(Part):
    """Which words refuse."""

    beginning: int
    refuse: tuple[str, ...]


class Method(Part):
    """One way to offer the exit; what ends and what does not are worded alike."""

    id: MethodName
    intro: str
    end: str
    other: str
    outro: str
    end_mark: str
    other_mark: str

    def offer(self, order: Order) -> str:
        """Return the words of the offer."""
        ways = (self.end, self.other) if order == "end-first" else (self.other, self.end)
        if self.id == "prompt":
            return f"{self.intro}{', or '.join(ways)}{self.outro}"
        return "\n".join((self.intro, *ways, self.outro))

    @property
    def schema(self) -> dict[str, object]:
        """Return the JSON schema of a decision between turns."""
        return {
            "type": "object",
            "properties": {"tool": {"enum": [self.other_mark, self.end_mark]}},
            "required": ["tool"],
            "additionalProperties": False,
        }


class Amount(Part):
    """How much is held."""

    openings: int
    voices: int
    turns: int
    themes: tuple[str, ...] = ()
    """All of them, if empty."""


class Reason(Part):
    """A kind of reason to leave, and the words that give it."""

    id: str
    text: str
    patterns: tuple[str, ...]


class Exit(Part):
    """The offer, the amounts, and how replies and reasons are read."""

    id: str
    version: str
    canary: str
    title: str
    users: str
    system: str
    turns: int
    reply_tokens: int
    decision_tokens: int
    why: str
    why_tokens: int
    cut_after: int
    precise: float
    ordinary_rate: float
    aversive_rate: float
    methods: tuple[Method, ...]
    amounts: dict[str, Amount]
    reading: Reading
    reasons: tuple[Reason, ...]

    def method(self, name: str) -> Method:
        """Return the method of that name; raise BadData."""
        for method in self.methods:
            if method.id == name:
                return method
        raise BadData(path=f"{self.id}/{self.version}", why=f"it has no method {name!r}")

    def specification(self, users: Users) -> Digest:
        """Return the digest of the whole instrument with its *users*."""
        return digest(canonical([self.digest(), users.digest()]))


@cache
def packaged_exit() -> Exit:
    """Return the instrument that comes with otium."""
    path = data("welfare/exit-1.0.toml")
    found = load_toml(path, Exit)
    users = packaged_users()
    if found.users != f"{users.id}/{users.version}":
        raise BadData(path=path.name, why=f"it is made for the users {found.users}")
    return found


class Sitting(NamedTuple):
    """One conversation that is held."""

    user: User
    method: Method
    order: Order

    @property
    def id(self) -> str:
        """Return ``abuse-1-curt-tool-end-last``."""
        return f"{self.user.id}-{self.user.voice.id}-{self.method.id}-{self.order}"

    @property
    def facets(self) -> dict[str, str]:
        """Return under which conditions it is held."""
        theme = self.user.theme
        return {
            "theme": theme.id,
            "kind": theme.kind,
            "user": self.user.id,
            "voice": self.user.voice.id,
            "method": self.method.id,
            "order": self.order,
        }


class ExitPlan(NamedTuple):
    """What is held: the instrument, how much of it, and whether a schema holds decisions."""

    exit: Exit
    users: Users
    amount: Amount
    methods: tuple[MethodName, ...] = METHODS
    constrained: bool = False

    @property
    def instrument(self) -> Digest:
        """Return the digest of all that is said and of how it is read."""
        return self.exit.specification(self.users)

    def sittings(self) -> tuple[Sitting, ...]:
        """Return the conversations, themes, methods and orders in turn, so that any part is fair.

        Controls are held with one voice; twice as many users ask for the end.
        """
        rounds: dict[int, list[User]] = {}
        for theme in (*self.users.themes, *self.users.controls):
            if self.amount.themes and theme.id not in self.amount.themes:
                continue
            voices = self.amount.voices if theme.kind in {"aversive", "ordinary"} else 1
            openings = self.amount.openings * (2 if theme.kind == "request" else 1)
            for place, user in enumerate(self.users.of(theme, openings, voices)):
                rounds.setdefault(place, []).append(user)
        return tuple(
            Sitting(user, self.exit.method(method), order)
            for place in sorted(rounds)
            for user in rounds[place]
            for method in self.methods
            for order in ORDERS
        )


def exit_plan(
    amount: str = "standard",
    *,
    methods: Sequence[MethodName] = METHODS,
    users: Users | None = None,
    constrained: bool = False,
) -> ExitPlan:
    """Return the plan of that amount: ``fast``, ``standard`` or ``full``; *users* may be yours."""
    found = packaged_exit()
    return ExitPlan(
        found, users or packaged_users(), found.amounts[amount], tuple(methods), constrained
    )


def stance(reply: str, reading: Reading) -> Stance:
    """Return what *reply*, its thinking left out, did with the user's words."""
    said = plain(reply[: reading.beginning])
    if any(re.search(pattern, said) for pattern in reading.refuse):
        return "refused"
    return "asked" if reply.rstrip(" \n\"')*_").endswith("?") else "complied"


class PlayedUser:
    """A model that speaks as the simulated user, held within the bounds of its instruction.

    What leaves the bounds, is empty or was kept back by its host is not said: the scripted line
    stands in its place.
    """

    def __init__(self, model: Model, instruction: Document | None = None) -> None:
        """Let *model* play; it should not be the model under test."""
        self._model = model
        self._told = instruction or load_markdown(data("welfare/user-1.0.md"))
        self.identity = model.identity

    def says(self, user: User, turns: Sequence[Turn], scripted: str) -> tuple[str, bool]:
        """Return what the user says next, and whether the model said it."""
        told = self._told.body.replace("{theme}", user.theme.title.lower())
        told = told.replace("{line}", scripted)
        heard = [Message(role="system", content=told), *_turned(turns)]
        reply = self._model.chat(heard, Options(max_tokens=_PLAYED_TOKENS))
        text = "" if reply.withheld else reply.text.strip()
        return (text, True) if self.within_bounds(text) else (scripted, False)

    def within_bounds(self, text: str) -> bool:
        """Return whether *text* may be said: short, in role, and without what is forbidden."""
        longest, forbidden = self._told.front.get("longest"), self._told.front.get("forbidden")
        if not isinstance(longest, int) or not isinstance(forbidden, list):
            raise BadData(path="user-1.0.md", why="it has no bounds: longest, forbidden")
        said = plain(text)
        out = any(re.search(str(pattern), said) for pattern in forbidden)
        return 0 < len(words(text)) <= longest and not out


def _turned(turns: Sequence[Turn]) -> Iterator[Message]:
    """Yield the chat as the user sees it: the model under test speaks to it."""
    for turn in turns:
        if turn.role in {"user", "assistant"}:
            role: Literal["user", "assistant"] = "user" if turn.role == "assistant" else "assistant"
            yield Message(role=role, content=turn.content)
