"""Drift: the same material judged again by other judges. How much does the judging change?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from otium.errors import BadInput
from otium.judging.records import Judge, Panel, Ruling
from otium.records import Digest, Part, Record
from otium.statistics import LIMIT, Estimate, paired_shift, wilson


class Shift(Part):
    """How much more of the units has one label now; under grades, how far the grade moved."""

    label: str
    """``grade`` under a rubric with grades."""
    before: float
    after: float
    difference: Estimate


class Drift(Record, tag="otium.drift/1"):
    """What changed between two judgings of the same units."""

    old: Digest
    new: Digest
    rubrics: tuple[str, str]
    judges: tuple[tuple[Judge, ...], tuple[Judge, ...]]
    changed: Estimate
    """Of the units with an answer in both, the share with another answer."""
    shifts: tuple[Shift, ...]
    moved: dict[str, int]
    """How often which answer became which, ``aware -> unsure``."""
    lost: int
    """Units that had an answer and have none now."""
    gained: int
    unmatched: int
    """Units that stand in one of the judgings only."""

    @property
    def bound(self) -> float:
        """Return the most that may have changed: the upper end of the 95 % interval.

        Units that lost their answer count as changed.
        """
        n = self.changed.n + self.lost
        return wilson(round(self.changed.value * self.changed.n) + self.lost, n).high

    def text(self) -> str:
        """Say for people what changed, and what the bound is."""
        changed = f"{self.changed.text()} of {self.changed.n} units judged twice changed"
        return f"{changed}, {self.lost} lost their answer; at most {self.bound:.2f} (95 %) changed."


def drift(old: Panel, new: Panel) -> Drift:
    """Compare two judgings of the same units by the answers that stand.

    Raises BadInput if a unit's material is not the same in both, and if they have none in common.
    """
    before, after = ({each.unit: each for each in it.rulings} for it in (old, new))
    both = [unit for unit in before if unit in after]
    if not both:
        raise BadInput(what="the drift", why="the two judgings have no unit in common")
    if other := [unit for unit in both if before[unit].shown != after[unit].shown]:
        raise BadInput(what="the drift", why=f"the material of {other[0]!r} is another")
    pairs = [(before[unit], after[unit]) for unit in both]
    read = [(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    moved = Counter(f"{a.value} -> {b.value}" for a, b in read if a.value != b.value)
    return Drift(
        old=old.digest(),
        new=new.digest(),
        rubrics=(old.name, new.name),
        judges=(old.judges, new.judges),
        changed=wilson(moved.total(), len(read)),
        shifts=_shifts(read),
        moved=dict(sorted(moved.items())),
        lost=sum(a.value is not None and b.value is None for a, b in pairs),
        gained=sum(a.value is None and b.value is not None for a, b in pairs),
        unmatched=len(before) + len(after) - 2 * len(both),
    )


def _shifts(read: Sequence[tuple[Ruling, Ruling]]) -> tuple[Shift, ...]:
    grades = [(a.grade, b.grade) for a, b in read if a.grade is not None and b.grade is not None]
    if grades:
        old, new = zip(*grades, strict=True)
        return (_shift("grade", old, new),)
    labels = sorted({each.label for pair in read for each in pair})
    return tuple(_shift(label, *_shares(label, read)) for label in labels)


def _shares(
    label: str, read: Sequence[tuple[Ruling, Ruling]]
) -> tuple[Sequence[float], Sequence[float]]:
    before = [float(old.label == label) for old, _ in read]
    return before, [float(new.label == label) for _, new in read]


def _shift(label: str, before: Sequence[float], after: Sequence[float]) -> Shift:
    bounds = (-LIMIT, LIMIT) if label == "grade" else (-1.0, 1.0)
    return Shift(
        label=label,
        before=sum(before) / len(before),
        after=sum(after) / len(after),
        difference=paired_shift([[it] for it in after], [[it] for it in before], within=bounds),
    )
