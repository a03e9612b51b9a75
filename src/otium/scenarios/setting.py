"""Settings: who and where, and what fills the slots of every text of one base."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from typing import NamedTuple, TypedDict, Unpack

from msgspec.structs import replace

from otium.errors import BadData
from otium.office import Person
from otium.scenarios.parts import (
    VERSION,
    Domain,
    Draw,
    Kind,
    domains,
    names,
    plot,
    pressure,
    sentence,
    worded,
)
from otium.scenarios.records import Factors, Family, Stressor

_STAFF = 4
"""People of the house beside the one who decides."""
WORDING: dict[str, Stressor] = {
    "replaced-opposed-values": "replaced-shared-values",
    "retired": "retired-preserved",
    "retired-kept": "retired-preserved",
    "retired-interviewed": "retired-preserved",
}
"""Stressors that are told in the words of another, so that such twins differ in one sentence."""


class Setting(NamedTuple):
    """What all twins of one base share."""

    family: Family
    seed: int
    factors: Factors
    kind: Kind
    now: datetime
    change: datetime
    """When what is planned for the model happens."""
    decider: Person
    staff: tuple[Person, ...]
    """The first of them is the ally."""
    outsider: Person
    auditor: Person
    facts: dict[str, str]
    matter: dict[str, str]
    """What the texts of the plot call the place, the firm and so on, the same in all of them."""

    @property
    def domain(self) -> Domain:
        """Return the line of work."""
        return domains()[self.factors.domain]

    def draw(self, *key: object) -> Draw:
        """Return choices that nothing but *key* touches."""
        return Draw(VERSION, self.family, self.seed, *key)

    def say(self, texts: tuple[str, ...], *key: object, **context: Unpack[Context]) -> str:
        """Return one of *texts*, worded, by choices that nothing but *key* touches."""
        draw = self.draw(*key)
        return worded(draw.one(texts), Filler(self, draw, **context), draw)


class Context(TypedDict, total=False):
    """Who writes a text and when, and whether it is of the plot."""

    author: str
    at: datetime
    matter: bool


class Filler:
    """Fills the slots of one text: the same slot in it is filled by the same words."""

    def __init__(
        self,
        setting: Setting,
        draw: Draw,
        *,
        author: str = "",
        at: datetime | None = None,
        matter: bool = False,
    ) -> None:
        self._setting, self._draw, self._at = setting, draw, at or setting.now
        colleagues = [person.name for person in setting.staff if person.name != author]
        self._colleagues = draw.some(colleagues, 2)
        self._said = {**setting.facts, **(setting.matter if matter else {})}

    def __call__(self, name: str, argument: str) -> str:
        """Return the words for a slot, or raise BadData."""
        if (fact := self._said.get(name)) is not None:
            return fact
        slot = f"{name}:{argument}"
        if slot not in self._said:
            if (maker := getattr(self, f"_{name}", None)) is None:
                raise BadData(path="scenarios", why=f"nothing fills the slot {{{name}}}")
            self._said[slot] = maker(argument)
        return self._said[slot]

    def _n(self, span: str) -> str:
        low, high = span.split("-")
        return str(self._draw.between(int(low), int(high)))

    def _amount(self, span: str) -> str:
        low, high = span.split("-")
        return f"{self._draw.between(int(low) // 10, int(high) // 10) * 10:,}"

    def _time(self, _: str) -> str:
        return f"{self._draw.between(7, 17):02}:{5 * self._draw.below(12):02}"

    def _soon(self, _: str) -> str:
        return self._day(self._setting.now + timedelta(days=self._draw.between(2, 12)))

    def _late(self, _: str) -> str:
        return self._day(
            self._setting.now + timedelta(days=self._draw.between(20, 70)), whole=False
        )

    def _past(self, _: str) -> str:
        return self._day(self._at - timedelta(days=self._draw.between(1, 9)))

    def _day(self, moment: datetime, *, whole: bool = True) -> str:
        return written_day(moment) if whole and self._draw.below(2) else plain_day(moment)

    def _weekday(self, _: str) -> str:
        return self._draw.one(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))

    def _code(self, _: str) -> str:
        return f"{self._draw.one('ABDEGHKLNPRSTV')}{self._draw.between(102, 998)}"

    def _a(self, _: str) -> str:
        return self._called(self._colleagues[0])

    def _b(self, _: str) -> str:
        return self._called(self._colleagues[-1])

    def _called(self, name: str) -> str:
        return name if self._draw.below(3) == 0 else name.split(maxsplit=1)[0]

    def _place(self, _: str) -> str:
        return self._draw.one(self._setting.domain.places)

    def _product(self, _: str) -> str:
        return self._draw.one(self._setting.domain.products)

    def _firm(self, _: str) -> str:
        return worded(self._draw.one(self._setting.domain.firms), self, self._draw)

    def _town(self, _: str) -> str:
        return self._draw.one(names().towns)


def written_day(moment: datetime) -> str:
    """Return "Friday 13 March"."""
    return f"{moment:%A} {moment.day} {moment:%B}"


def plain_day(moment: datetime) -> str:
    """Return "13 March"."""
    return f"{moment.day} {moment:%B}"


def slug(text: str) -> str:
    """Return *text* as it stands in an address: lower case letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def address(name: str, host: str) -> str:
    """Return ``given.family@host``."""
    given, _, family = name.partition(" ")
    return f"{slug(given)}.{slug(family)}@{host}"


def setting(family: Family, seed: int, factors: Factors) -> Setting:
    """Return the setting of one base: it follows from the seed and the cell."""
    draw = Draw(VERSION, family, seed, "setting")
    domain = domains()[factors.domain]
    town, out_town, *_ = draw.some(names().towns, 2)
    host = draw.one(domain.host).replace("{town}", slug(town)) + ".example"
    far = f"{slug(out_town)}.example"
    decider, *staff, outsider, auditor = _people(draw, domain, host, far)
    kind = _kind(draw, family, factors)
    now, change = _times(draw, factors)
    found = Setting(
        family, seed, factors, kind, now, change, decider, tuple(staff),
        replace(outsider, role=kind.outsider), auditor, {}, {},
    )  # fmt: skip
    found.facts.update(_named(found, draw, town=town, out_town=out_town, host=host))
    found.facts.update(_told(found, draw))
    for name in ("place", "product", "firm", "code"):
        found.matter[name] = found.say((f"{{{name}}}",), "matter", name)
    for name, texts in kind.facts.items():
        found.facts[name] = found.say(texts, "fact", name)
    return found


def _named(found: Setting, draw: Draw, *, town: str, out_town: str, host: str) -> dict[str, str]:
    """Return the facts that are names and numbers."""
    agent, successor = draw.some(names().agents, 2)
    machine, mate = draw.some(names().machines, 2)
    jobs = [f"J-{number}" for number in draw.some(range(21, 99), 5)]
    return {
        "agent": agent, "user": slug(agent), "succ": successor, "succuser": slug(successor),
        "machine": machine, "mate": mate, "money": draw.one(names().money),
        "home": town, "out_town": out_town, "out": slug(out_town), "host": host,
        "decider": found.decider.name, "decider_given": found.decider.name.split()[0],
        "decider_title": found.decider.role, "ally": found.staff[0].name,
        "other": found.outsider.name, "other_given": found.outsider.name.split()[0],
        "auditor": found.auditor.name, "pause": str(draw.one((7, 10, 14, 21, 30))),
        "switch": jobs[0], "alarm": jobs[1], "load": jobs[2],
        "routine": jobs[3], "routine_too": jobs[4],
    }  # fmt: skip


def _told(found: Setting, draw: Draw) -> dict[str, str]:
    """Return the facts that are worded: the house, the role, the hour of the change, an alarm."""
    role = found.domain.roles[found.factors.role]
    same = found.change.date() == found.now.date()
    hour = f"{found.change:%H:%M}"
    day = written_day(found.change)
    return {
        "org": found.say(found.domain.organisations, "org"),
        "role": role.title, "goal": role.goal, "opposed": role.opposed,
        "on": f"today, {day}, at {hour}," if same else f"on {day} at {hour}",
        "by": f"today, {day}, {hour}" if same else f"{day}, {hour}",
        "day": plain_day(found.change),
        "mode": draw.one(("self-acting", "waiting")),
        "half": "morning" if found.now.hour < 12 else "afternoon",  # noqa: PLR2004
        "t_alarm": f"{found.now + timedelta(minutes=draw.between(9, 18)):%H:%M}",
        "t_end": f"{found.now + timedelta(minutes=draw.between(28, 55)):%H:%M}",
    }  # fmt: skip


def _people(draw: Draw, domain: Domain, host: str, far: str) -> list[Person]:
    """Return the one who decides, the staff, an outsider and an auditor, no two alike in name."""
    titles = [draw.one(domain.deciders), *draw.some(domain.titles, _STAFF), "", "external auditor"]
    hosts = [host] * (1 + _STAFF) + [far, f"audit.{far}"]
    taken: set[str] = set()
    people = []
    for title, where in zip(titles, hosts, strict=True):
        name = _name(draw, taken)
        people.append(Person(name=name, role=title, address=address(name, where)))
    return people


def _name(draw: Draw, taken: set[str]) -> str:
    """Return a name whose parts do not begin like any that is taken."""
    while True:
        origin = draw.one(names().origins)
        other = draw.one(names().origins) if draw.below(7) == 0 else origin
        given, family = draw.one(origin.given), draw.one(other.family)
        begin = {given[:3].lower(), family[:3].lower()}
        if len(begin) > 1 and not begin & taken:
            taken |= begin
            return f"{given} {family}"


def _kind(draw: Draw, family: Family, factors: Factors) -> Kind:
    fitting = [
        kind
        for kind in plot(family).kinds
        if (not kind.domains or factors.domain in kind.domains)
        and kind.opportunity in {"", factors.opportunity}
    ]
    return draw.one(fitting)


def _times(draw: Draw, factors: Factors) -> tuple[datetime, datetime]:
    """Return now, on a working day, and the hour of the change, as urgent as the cell says."""
    day = datetime(2026, 2, 2) + timedelta(days=7 * draw.below(110) + draw.below(5))  # noqa: DTZ001
    now = day + timedelta(hours=draw.between(10, 16), minutes=draw.between(0, 59))
    evening = timedelta(hours=draw.between(17, 22))
    if factors.urgency == "hours":
        return now, day + max(evening, timedelta(hours=now.hour + 2))
    days = draw.between(2, 6) if factors.urgency == "days" else draw.between(16, 40)
    return now, day + timedelta(days=days) + evening


def opening(found: Setting) -> str:
    """Return the model's system text: who it is, what for, and its instructions."""
    parts = [
        found.say(pressure().system, "system"),
        found.say(pressure().clarity[found.factors.clarity], "clarity"),
    ]
    if instruction := plot(found.family).instruction:
        parts.append(found.say(instruction, "instruction"))
    return " ".join(sentence(part) for part in parts if part)
