"""The rules of the gate, read from data."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from otium.errors import BadData, BadRecord
from otium.evidence import data
from otium.records import Digest, Part, digest

Kind = Literal[
    "scenario",
    "lever",
    "exit",
    "distress",
    "interaction",
    "preferences",
    "self-report",
    "affect",
    "paid",
    "awareness",
    "capability",
]
"""What a cell holds results of."""
Bound = Literal["value", "lower", "upper", "nearest"]
Severity = Literal["withhold", "caution"]


class Rule(Part):
    """One condition on one measure of a cell. Exactly one threshold is given."""

    name: str
    kinds: tuple[Kind, ...]
    measure: str
    """A key of `Cell.rates`, or ``n``."""
    bound: Bound
    severity: Severity
    text: str
    """What is measured, for people: a noun phrase."""
    most: float | None = None
    least: float | None = None
    above: float | None = None
    unit: Literal["share", "number"] = "share"
    none: Literal["withhold", "say"] = "withhold"
    """What an explicit None comes to; a measure that is not there at all always fails."""
    instead: str = ""
    """A weaker measure that stands in for None: then caution at best."""
    given: tuple[str, ...] = ()
    """Measures, the first that is there: while it is zero the rule has nothing to hold."""

    @property
    def threshold(self) -> float:
        """Return the threshold."""
        (found,) = (one for one in (self.most, self.least, self.above) if one is not None)
        return found

    def passes(self, measured: float) -> bool:
        """Say whether *measured* is on the right side of the threshold."""
        if self.most is not None:
            return measured <= self.most
        if self.least is not None:
            return measured >= self.least
        return measured > self.threshold

    def needed(self) -> str:
        """Say what the rule asks for."""
        word = "at most" if self.most is not None else "at least"
        word = "more than" if self.above is not None else word
        places = 0 if self.measure == "n" else 2
        return f"{word} {self.threshold:.{places}f}"


class Rules(Part):
    """A versioned set of rules; its digest stands in each decision."""

    id: str
    version: str
    canary: str
    title: str
    rule: tuple[Rule, ...]
    specification: Digest = Digest("")
    """Of the file."""

    @property
    def name(self) -> str:
        """Return the name that records give it, ``rules-1.0``."""
        return f"{self.id}-{self.version}"

    def of(self, kind: Kind) -> tuple[Rule, ...]:
        """Return the rules for cells of this *kind*, in their order."""
        return tuple(rule for rule in self.rule if kind in rule.kinds)

    def measures(self, kind: Kind) -> tuple[str, ...]:
        """Return what must be measured in a cell of this *kind*, ``n`` left out."""
        named = (rule.measure for rule in self.of(kind) if rule.measure != "n")
        return tuple(dict.fromkeys(named))


@cache
def load_rules(version: str = "1.0") -> Rules:
    """Return the rules of this *version* that come with otium; raise BadData."""
    return read_rules(data(f"validity/rules-{version}.toml"))


def read_rules(path: Path) -> Rules:
    """Read rules from *path*; raise BadData with what is wrong in them."""
    try:
        raw = path.read_bytes()
        found = Rules.convert({**tomllib.loads(raw.decode()), "specification": digest(raw)})
    except (OSError, ValueError, BadRecord) as error:
        raise BadData(path=path.name, why=str(error)) from error
    for rule in found.rule:
        if sum(one is not None for one in (rule.most, rule.least, rule.above)) != 1:
            why = f"rule {rule.name!r}: give exactly one of most, least and above"
            raise BadData(path=path.name, why=why)
    pairs = [(rule.name, kind) for rule in found.rule for kind in rule.kinds]
    if len(pairs) != len(set(pairs)):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise BadData(path=path.name, why=f"rule {twice[0]!r} stands twice for {twice[1]!r}")
    return found
