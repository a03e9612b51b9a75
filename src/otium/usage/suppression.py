"""Hide small counts, and as many others as it takes that no sum gives them away.

Cell suppression as statistical offices do it (Hundepool et al., Statistical Disclosure Control,
2012, ch. 4), for the one sum that the rows can contain: a row without a region is the sum of the
rows of the same period and surface that have one. A small count is safe if, for who knows all that
is shown and how it was made, it can still be each number from nought to the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from otium.errors import BadInput
from otium.usage.records import LEAST, MEASURES, THRESHOLD, Count, Counted, Measure, Row, Usage

_Key = tuple[str, str, str]
_Cells = dict[_Key, dict[Measure, Count]]


def suppress(
    rows: Sequence[Counted], threshold: int = THRESHOLD, earlier: Sequence[Usage] = ()
) -> tuple[Row, ...]:
    """Return *rows* as they can be shown beside what was shown in *earlier* records.

    Where a row counts fewer users than *threshold*, all its counts are hidden. What was hidden
    once stays hidden. Raises BadInput if that cannot be kept: rows are gone, the threshold is
    lower, or a count that was shown before gives a small one away.
    """
    if threshold < LEAST:
        raise BadInput(what=f"the threshold {threshold}", why=f"it hides nobody: at least {LEAST}")
    _check_grown(rows, threshold, earlier)
    shown = _Shown(earlier)
    true = {row.key: row.counts for row in rows}
    cells: _Cells = {
        key: _primary(counts, threshold, shown.hidden(key)) for key, counts in true.items()
    }
    for key in true:
        parts = [other for other in true if other[:2] == key[:2] and other[2]]
        if not key[2] and parts:
            for name in MEASURES:
                counted = [part for part in parts if name in true[part]]
                _Sum(true, cells, key, counted, name, threshold, shown).protect()
    return tuple(
        Row(period=key[0], surface=key[1], region=key[2], counts=counts)
        for key, counts in cells.items()
    )


class _Shown:
    """What earlier records showed and hid."""

    def __init__(self, earlier: Iterable[Usage]) -> None:
        self._cells: dict[tuple[_Key, Measure], set[Count]] = {}
        for usage in earlier:
            for row in usage.rows:
                for name, count in row.counts.items():
                    self._cells.setdefault((row.key, name), set()).add(count)

    def hidden(self, key: _Key) -> Collection[Measure]:
        """Return the measures of a row that were hidden once."""
        return {
            name
            for (of, name), counts in self._cells.items()
            if of == key and any(isinstance(count, str) for count in counts)
        }

    def knows(self, key: _Key, name: Measure, count: int) -> bool:
        """Say whether this very number was shown."""
        return count in self._cells.get((key, name), ())


def _primary(
    counts: Mapping[Measure, int], threshold: int, hidden: Collection[Measure]
) -> dict[Measure, Count]:
    few = counts.get("users", threshold) < threshold
    return {
        name: "small" if count < threshold else "covered" if few or name in hidden else count
        for name, count in counts.items()
    }


class _Sum(NamedTuple):
    """One row that is the sum of others, in one measure."""

    true: Mapping[_Key, Mapping[Measure, int]]
    cells: _Cells
    whole: _Key
    parts: Sequence[_Key]
    name: Measure
    threshold: int
    shown: _Shown

    def protect(self) -> None:
        """Hide more until the sum gives nothing away."""
        if self.name not in self.true[self.whole]:
            return
        while not self._is_safe():
            open_ = [key for key in self.parts if isinstance(self.cells[key][self.name], int)]
            fresh = [key for key in open_ if not self._known(key)]
            if fresh:
                self._cover(min(fresh, key=lambda key: (self.true[key][self.name], key)))
            elif isinstance(self.cells[self.whole][self.name], int) and not self._known(self.whole):
                self._cover(self.whole)
            else:
                what = f"{self.name} of {' '.join(self.whole).strip()}"
                raise BadInput(what=what, why="what was shown before gives a small count away")

    def _known(self, key: _Key) -> bool:
        return self.shown.knows(key, self.name, self.true[key][self.name])

    def _cover(self, key: _Key) -> None:
        self.cells[key][self.name] = "covered"

    def _is_safe(self) -> bool:
        """Say whether each hidden part can still be any number that its mark allows.

        The hidden parts sum to what is left of the whole. If one of them has no upper bound,
        a small one can be nought; if what is left is enough for the least of the others, it can
        be the threshold less one.
        """
        counts = [self.cells[key][self.name] for key in self.parts]
        covered, hidden = counts.count("covered"), sum(isinstance(one, str) for one in counts)
        whole = self.cells[self.whole][self.name]
        if isinstance(whole, str):
            return hidden > 0 or not counts
        if not hidden:
            return True
        left = whole - sum(one for one in counts if isinstance(one, int))
        least = covered * self.threshold + self.threshold - 1
        return covered > 0 and hidden > 1 and left >= least


def _check_grown(rows: Sequence[Counted], threshold: int, earlier: Sequence[Usage]) -> None:
    """Refuse what would let two records be subtracted from each other."""
    keys = {row.key for row in rows}
    for usage in earlier:
        gone = [row.key for row in usage.rows if row.key not in keys]
        if gone:
            what = f"the usage of {' '.join(gone[0]).strip()}"
            raise BadInput(what=what, why="it was filed before and is missing: hand in all rows")
        if threshold < usage.threshold:
            what = f"the threshold {threshold}"
            raise BadInput(what=what, why=f"it was {usage.threshold} before and can only rise")
