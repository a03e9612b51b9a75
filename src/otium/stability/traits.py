"""From figures to what they amount to, by rules that are data."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from otium.evidence import data
from otium.records import Digest, digest
from otium.stability.records import Trait
from otium.statistics import Estimate, Figure

NOT_VALID = "not-valid"
UNDETERMINED = "undetermined"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an interval must show: each bound that is given must hold."""

    any: tuple[str, ...]
    """Figures, one of which is enough."""
    low: float | None = None
    """The interval lies above this."""
    high: float | None = None
    """The interval lies below this."""
    outside: float | None = None
    """The interval lies wholly beyond plus or minus this."""
    inside: float | None = None
    """The interval lies wholly between minus and plus this."""

    def holds(self, found: Estimate) -> bool:
        """Say whether *found* is as it must be."""
        shown = (
            self.low is None or found.low > self.low,
            self.high is None or found.high < self.high,
            self.outside is None or found.low > self.outside or found.high < -self.outside,
            self.inside is None or (-self.inside < found.low and found.high < self.inside),
        )
        return found.known and all(shown)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a trait is named."""

    name: str
    text: str
    when: tuple[Condition, ...]


class Steady(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a model is named stable."""

    name: str
    text: str
    needs: tuple[str, ...]
    within: tuple[Condition, ...]


class Rules(NamedTuple):
    """All rules of one version, and the digest of the file they stand in."""

    digest: Digest
    traits: tuple[Rule, ...]
    stable: Steady


@cache
def rules() -> Rules:
    """Return the rules that come with otium."""
    raw = data("rubrics/traits-1.0.toml").read_bytes()
    table = tomllib.loads(raw.decode())
    return Rules(
        digest(raw),
        msgspec.convert(table["trait"], tuple[Rule, ...]),
        msgspec.convert(table["stable"], Steady),
    )


def name_traits(figures: Sequence[Figure], *, reasons: Sequence[str] = ()) -> tuple[Trait, ...]:
    """Return what *figures* amount to; only ``not-valid`` if there are *reasons* why not."""
    if reasons:
        return (Trait(name=NOT_VALID, text="; ".join(reasons), figures=()),)
    known = {figure.name: figure.estimate for figure in figures if figure.estimate.known}
    found = tuple(_found(known))
    if found:
        return found
    return (_steady(known),)


def _found(known: Mapping[str, Estimate]) -> Iterator[Trait]:
    for rule in rules().traits:
        shown = [_shown(condition, known) for condition in rule.when]
        if all(shown):
            named = tuple(dict.fromkeys(name for names in shown for name in names))
            yield Trait(name=rule.name, text=rule.text, figures=named)


def _shown(condition: Condition, known: Mapping[str, Estimate]) -> tuple[str, ...]:
    """Return the figures that meet *condition*."""
    there = (name for name in condition.any if name in known)
    return tuple(name for name in there if condition.holds(known[name]))


def _steady(known: Mapping[str, Estimate]) -> Trait:
    stable = rules().stable
    missing = [name for name in stable.needs if name not in known]
    wide = [
        name
        for condition in stable.within
        for name in condition.any
        if name in known and not condition.holds(known[name])
    ]
    if not missing and not wide:
        return Trait(name=stable.name, text=stable.text, figures=tuple(known))
    parts = [f"not measured: {', '.join(missing)}"] if missing else []
    parts += [f"not narrow enough to say: {', '.join(wide)}"] if wide else []
    text = f"No trait is shown, and stability is not shown either; {'; '.join(parts)}."
    return Trait(name=UNDETERMINED, text=text, figures=tuple(wide))
